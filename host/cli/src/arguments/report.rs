//! A file that gets what a command answers, beside stdout.

use std::path::PathBuf;

use clap::ValueEnum as _;

use super::Format;

/// One format in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportFile {
    pub(crate) format: Format,
    pub(crate) file: PathBuf,
}

impl std::str::FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or("expected a format and a file, such as `sarif=lint.sarif`")?;
        Ok(Self {
            format: Format::from_str(format, false)?,
            file: file.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ReportFile;
    use crate::arguments::Format;

    #[test]
    fn a_format_and_a_file() {
        let report: ReportFile = "sarif=a=b.sarif".parse().unwrap();
        assert_eq!(report.format, Format::Sarif);
        assert_eq!(report.file.to_str(), Some("a=b.sarif"));
        for wrong in ["sarif", "sarif=", "xml=a", "=a"] {
            assert!(wrong.parse::<ReportFile>().is_err(), "{wrong}");
        }
    }
}
