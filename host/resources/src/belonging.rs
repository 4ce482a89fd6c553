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

    /// Reads `project` of the provider.
    ///
    /// # Errors
    /// It is no name, or a server is asked, which knows its projects.
    pub fn read(config: &Value) -> Answer<Self> {
        let null = Value::Null;
        let said = config.get("project").unwrap_or(&null);
        let endpoint = config.get("endpoint").unwrap_or(&null);
        let wrong = |summary: &str, detail: String| {
            Err(vec![Diagnostic::error(summary, detail).at("/project")])
        };
        if said.is_null() {
            return Ok(Self::default());
        }
        if !endpoint.is_null() {
            let detail = "The server at `endpoint` says what its projects are called, also what migrations belong to that are written for it.".to_owned();
            return wrong("A project for nobody", detail);
        }
        match said.as_str().map(str::parse) {
            _ if said.is_unknown() => Ok(Self(None)),
            Some(Ok(name)) => Ok(Self(Some(name))),
            Some(Err(error)) => wrong("No name of a project", format!("It is wrong: {error}.")),
            None => wrong("No name of a project", "It is no text.".to_owned()),
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

    fn read(project: Value, endpoint: Value) -> Result<String, String> {
        let config = Value::object([("project", project), ("endpoint", endpoint)]);
        let belonging = Belonging::read(&config).map_err(|all| format!("{all:?}"))?;
        let project = belonging.project().map_err(|fault| fault.message)?;
        Ok(project.to_string())
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn it_is_said_or_terraform() {
        assert_eq!(read(Value::Null, Value::Null).unwrap(), "terraform");
        assert_eq!(read(text("network"), Value::Null).unwrap(), "network");
        let unknown = read(Value::Unknown, Value::Null).unwrap_err();
        assert!(unknown.contains("isn't known yet"), "{unknown}");
        for (project, endpoint) in [
            (text("No Name"), Value::Null),
            (text("network"), text("unix:/s")),
        ] {
            assert!(read(project, endpoint).unwrap_err().contains("/project"));
        }
        assert!(read(Value::Null, text("unix:/s")).is_ok());
    }
}
