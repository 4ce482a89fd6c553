//! Errors as the API tells them: `application/problem+json` of RFC 9457, with hints.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::gate::Refusal;
use whimbrel_engine::EngineError;
use whimbrel_project::ProjectError;
use whimbrel_signal::Scrubber;

/// Why a request isn't answered with what it asked for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    /// What kind it is, for programs.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<String>,
    #[serde(flatten)]
    more: Option<Box<More>>,
}

/// What only some have.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum More {
    /// What the gates say.
    Gates(Vec<Refusal>),
    /// What the engine says of a migration that a client writes, or the server of what one says.
    Fault(Fault),
}

impl More {
    /// The same without secrets.
    fn scrubbed(self, scrubber: &Scrubber) -> Self {
        let refused = |refusal: Refusal| Refusal {
            gate: refusal.gate,
            message: scrubber.scrub(&refusal.message),
            hint: scrubber.scrub(&refusal.hint),
        };
        match self {
            Self::Gates(refusals) => Self::Gates(refusals.into_iter().map(refused).collect()),
            Self::Fault(fault) => Self::Fault(scrubber.clean_fault(fault)),
        }
    }
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            hints: Vec::new(),
            more: None,
        }
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "the request makes no sense",
            detail,
        )
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is no such thing",
            detail,
        )
    }

    pub(crate) fn conflict(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "not as things stand", detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "not now",
            detail,
        )
    }

    pub(crate) fn key_used() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key-used",
            "the idempotency key belongs to another order",
            "the same key was sent with something else",
        )
    }

    /// What the engine says of a migration that a client writes, or the server of what one says, for programs as well.
    pub(crate) fn of_fault(fault: &Fault) -> Self {
        let status = match fault.class {
            FaultClass::Invalid => StatusCode::BAD_REQUEST,
            FaultClass::Denied => StatusCode::FORBIDDEN,
            FaultClass::NotFound => StatusCode::NOT_FOUND,
            FaultClass::Conflict => StatusCode::CONFLICT,
            FaultClass::Unavailable | FaultClass::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
            FaultClass::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
            FaultClass::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            hints: fault.hint.iter().cloned().collect(),
            more: Some(Box::new(More::Fault(fault.clone()))),
            ..Self::new(status, "fault", "the engine says no", fault.message.clone())
        }
    }

    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "busy",
            "too much at once",
            detail,
        )
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What the engine says.
    pub(crate) fn of(error: &EngineError) -> Self {
        let detail = error.to_string();
        let mut problem = match error {
            EngineError::Project(error) => Self::of_project(error),
            EngineError::Unread(unread) => Self::of_project(&unread.first),
            EngineError::Run(error) if error.is_temporary() => Self::unavailable(detail),
            EngineError::NoDigest(_)
            | EngineError::NoName { .. }
            | EngineError::WhichMigration { .. }
            | EngineError::UnknownMigration { .. } => Self::bad(detail),
            EngineError::PlanChanged { .. } => Self::conflict("plan-changed", detail),
            EngineError::Blocked(_) => Self::conflict("blocked", detail),
            EngineError::Dependency { .. } => Self::conflict("dependency", detail),
            EngineError::Refused(refusals) => Self {
                more: Some(Box::new(More::Gates(refusals.clone()))),
                ..Self::conflict("refused", detail)
            },
            EngineError::MayNotApprove { .. } => Self::new(
                StatusCode::FORBIDDEN,
                "may-not-approve",
                "somebody else must approve",
                detail,
            ),
            _ => Self::failed(detail),
        };
        problem.hints = error.hints();
        problem
    }

    fn of_project(error: &ProjectError) -> Self {
        if error.is_temporary() {
            Self::unavailable(error.to_string())
        } else {
            Self::failed(error.to_string())
        }
    }

    fn failed(detail: String) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "it failed",
            detail,
        )
    }

    /// The same without secrets.
    pub(crate) fn scrubbed(mut self, scrubber: &Scrubber) -> Self {
        self.detail = scrubber.scrub(&self.detail);
        for hint in &mut self.hints {
            *hint = scrubber.scrub(hint);
        }
        let more = self.more.map(|more| more.scrubbed(scrubber));
        self.more = more.map(Box::new);
        self
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::of_fault(&fault)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, json!(self).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::json;
    use whimbrel_core::fault::{Fault, FaultClass};
    use whimbrel_core::gate::{Gate, Refusal};
    use whimbrel_signal::Scrubber;

    use super::{More, Problem};

    fn scrubbed(problem: Problem) -> String {
        let scrubber = Scrubber::default();
        scrubber.register("hunter22");
        json!(problem.scrubbed(&scrubber)).to_string()
    }

    #[test]
    fn every_text_of_a_problem_is_without_secrets() {
        let problem = Problem::bad("detail hunter22").hint("hint hunter22");
        let said = scrubbed(problem);
        assert!(
            said.contains("detail [redacted]") && said.contains("hint [redacted]"),
            "{said}"
        );
        assert!(!said.contains("hunter22"), "{said}");
    }

    #[test]
    fn what_it_says_to_programs_is_without_secrets_too() {
        let fault = Fault {
            pointer: Some("/hunter22".to_owned()),
            ..Fault::new(FaultClass::Invalid, "step.wrong", "message hunter22")
                .with_hint("hint hunter22")
        };
        let said = scrubbed(Problem::of_fault(&fault));
        let expected = json!({
            "class": "invalid", "code": "step.wrong", "message": "message [redacted]", "pointer": "/[redacted]",
            "hint": "hint [redacted]", "retry": "never",
        });
        assert!(said.contains(&expected.to_string()), "{said}");
        assert!(!said.contains("hunter22"), "{said}");
        let gates = vec![Refusal {
            gate: Gate::Approval,
            message: "message hunter22".to_owned(),
            hint: "hint hunter22".to_owned(),
        }];
        let refused = Problem {
            more: Some(Box::new(More::Gates(gates))),
            ..Problem::new(StatusCode::CONFLICT, "refused", "no", "no")
        };
        let said = scrubbed(refused);
        assert!(
            said.contains("message [redacted]") && said.contains("hint [redacted]"),
            "{said}"
        );
        assert!(!said.contains("hunter22"), "{said}");
    }
}
