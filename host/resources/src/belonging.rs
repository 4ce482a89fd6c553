//! Which project migrations belong to that are written in Terraform: one for a whole provider, as its configuration says.

use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::name::ProjectName;
use whimbrel_terraform::{Answer, Diagnostic, Value};

/// What the project is called where nobody says it.
const UNSAID: &str = "terraform";

/// The project, if it is known by now.
#[derive(Clone, Debug)]
pub struct Belonging(Option<ProjectName>);

impl Default for Belonging {
    fn default() -> Self {
        Self(UNSAID.parse().ok())
    }
}

impl Belonging {
    /// To this project.
    pub const fn to(project: ProjectName) -> Self {
        Self(Some(project))
    }

    /// Reads `project` of the provider; none if it isn't said.
    ///
    /// # Errors
    /// It is no name.
    pub fn read(config: &Value) -> Answer<Option<Self>> {
        let null = Value::Null;
        let said = config.get("project").unwrap_or(&null);
        let wrong = |detail: String| {
            let summary = "No name of a project";
            Err(vec![Diagnostic::error(summary, detail).at("/project")])
        };
        match said.as_str().map(str::parse) {
            _ if said.is_null() => Ok(None),
            _ if said.is_unknown() => Ok(Some(Self(None))),
            Some(Ok(name)) => Ok(Some(Self(Some(name)))),
            Some(Err(error)) => wrong(format!("It is wrong: {error}.")),
            None => wrong("It is no text.".to_owned()),
        }
    }

    /// The project.
    ///
    /// # Errors
    /// It isn't known yet.
    pub fn project(&self) -> Result<&ProjectName, Fault> {
        self.0.as_ref().ok_or_else(|| {
            let message = "`project` of the provider isn't known yet";
            Fault::new(FaultClass::Unavailable, "engine.no-project", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Belonging;
    use whimbrel_terraform::Value;

    fn read(project: Value) -> Result<Option<String>, String> {
        let config = Value::object([("project", project)]);
        let belonging = Belonging::read(&config).map_err(|all| format!("{all:?}"))?;
        let project = belonging.as_ref().map(Belonging::project).transpose();
        Ok(project
            .map_err(|fault| fault.message)?
            .map(ToString::to_string))
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn it_is_said_or_terraform() {
        assert_eq!(read(Value::Null).unwrap(), None);
        assert_eq!(
            Belonging::default().project().unwrap().as_str(),
            "terraform"
        );
        assert_eq!(read(text("network")).unwrap().unwrap(), "network");
        let unknown = read(Value::Unknown).unwrap_err();
        assert!(unknown.contains("isn't known yet"), "{unknown}");
        assert!(read(text("No Name")).unwrap_err().contains("/project"));
    }
}
