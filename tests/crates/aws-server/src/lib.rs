//! An AWS Secrets Manager, STS and IAM for tests: moto, with its check of signatures and policies on, filled by boto3.
//!
//! What surrounds a workload on AWS is here, too: [`Metadata`] answers as the instance metadata service and as the agent of
//! EKS Pod Identity do.
//!
//! ```no_run
//! let aws = whimbrel_aws_server::AwsServer::shared();
//! aws.call("secretsmanager", "create_secret", &serde_json::json!({ "Name": "shop", "SecretString": "canary" }));
//! ```

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its server has failed"
)]

mod metadata;
mod server;

pub use metadata::Metadata;
pub use server::{AwsServer, Credentials, REGION};
