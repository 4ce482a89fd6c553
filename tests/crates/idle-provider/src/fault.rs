//! `idle_fault`: everything that a provider must not do. Terraform must say so, and go on.

use whimbrel_terraform::{Answer, Call, Diagnostic, Planned, Stored, Value};

fn mode(value: &Value) -> &str {
    value
        .get("mode")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn with(mut state: Value, name: &str, value: Value) -> Stored {
    if let Value::Map(members) = &mut state {
        members.insert(name.to_owned(), value);
    }
    Stored {
        state,
        private: Vec::new(),
    }
}

pub fn validate(config: &Value) -> Answer<()> {
    match mode(config) {
        "place" => Err(vec![
            Diagnostic::error("This key is wrong", "It always is.").at("/list/1/key"),
        ]),
        "nowhere" => Err(vec![
            Diagnostic::error("Something is wrong", "Nobody knows where.").at("/no/such/place"),
        ]),
        _ => Ok(()),
    }
}

pub async fn plan(call: &Call, proposed: Value) -> Answer<Planned> {
    let planned = |stored| {
        Ok(Planned {
            stored,
            replace: Vec::new(),
        })
    };
    match mode(&proposed) {
        "panic in plan" => panic!("told to"),
        "leak" => {
            let token = proposed.get("token").cloned().unwrap_or_default();
            planned(with(proposed, "value", token))
        }
        "tell" => {
            let token = match proposed.get("token") {
                Some(Value::Sealed(token)) => call.sealed.reveal(*token).unwrap_or_default(),
                _ => Value::Null,
            };
            let token = token.as_str().unwrap_or_default();
            Err(vec![Diagnostic::error(
                format!("The token is {token}"),
                format!("It is {token}."),
            )])
        }
        "wrong type" => planned(with(proposed, "value", 7.into())),
        "wrong attribute" => planned(with(proposed, "other", "x".into())),
        "no object" => planned(Stored {
            state: "x".into(),
            private: Vec::new(),
        }),
        "null" => planned(with(Value::Null, "", Value::Null)),
        _ => planned(with(proposed, "value", Value::Unknown)),
    }
}

pub fn create(planned: Stored) -> Answer<Stored> {
    let state = planned.state;
    match mode(&state) {
        "panic in apply" => panic!("told to"),
        "unknown" => Ok(with(state, "value", Value::Unknown)),
        "other" => {
            let made = with(state, "value", "made".into());
            Ok(with(made.state, "mode", "changed".into()))
        }
        "refused" => Err(vec![
            Diagnostic::error("It can't be made", "It never can.").at("/mode"),
        ]),
        _ => Ok(with(state, "value", "made".into())),
    }
}
