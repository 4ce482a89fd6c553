//! The backend over scripted answers.

#![allow(dead_code, clippy::unwrap_used)]

pub use aws_secrets_manager::SecretsManager;
use whimbrel_sdk::http::Request;
pub use whimbrel_sdk::mock::call;
use whimbrel_sdk::mock::{Answers, Host};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

pub const NOW: u64 = 1_440_938_160_000;
pub const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
pub const HOUR_LATER: &str = "2015-08-30T13:36:00Z";

pub fn keys() -> Json {
    json!({
        "region": "us-east-1",
        "credentials": { "static": { "accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" } },
    })
}

pub fn from(source: Json) -> Json {
    json!({ "region": "us-east-1", "credentials": source })
}

pub fn host(answers: Answers) -> Host {
    Host::without_database()
        .with_answers(answers)
        .with_clock(NOW)
}

pub fn read(host: Host, config: Json) -> (Result<Secret, Fault>, Host) {
    call(host, config, |store: &SecretsManager| {
        store.read(&Reference::new("MyTestDatabaseSecret"))
    })
}

pub fn value(text: &str) -> Json {
    json!({ "ARN": "arn:aws:secretsmanager:us-east-1:1:secret:a-b", "Name": "a", "VersionId": ID, "SecretString": text,
        "VersionStages": ["AWSCURRENT"], "CreatedDate": 1.5e9 })
}

pub fn service(status: u16, body: Json) -> Answers {
    Answers::new().on(
        "POST",
        "https://secretsmanager.us-east-1.amazonaws.com/",
        status,
        body,
    )
}

pub fn refusal(status: u16, code: &str, message: &str) -> Answers {
    service(
        status,
        json!({ "__type": format!("com.amazonaws.secretsmanager#{code}"), "message": message }),
    )
}

pub fn body(request: &Request) -> Json {
    serde_json::from_slice(request.body.as_deref().unwrap()).unwrap()
}
