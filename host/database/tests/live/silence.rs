//! Servers that accept a connection and say nothing.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use whimbrel_database::{Endpoint, SessionSettings, connect};

#[tokio::test]
async fn who_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    for mode in ["disable", "require"] {
        let url = format!("postgres://{address}/shop?sslmode={mode}");
        let endpoint = Endpoint::parse(&url, Path::new("/")).unwrap();
        let settings = SessionSettings {
            connect_timeout: Duration::from_millis(100),
            ..SessionSettings::default()
        };
        let error = connect(&endpoint, &settings).await.err().unwrap();
        assert!(error.is_connection_lost(), "{error:?}");
        assert!(error.message.contains("within 0.1 s"), "{error}");
    }
}
