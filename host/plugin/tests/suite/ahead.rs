//! Instances that are made while another call waits: nobody can tell them from those that are made for their call.

use std::time::Duration;

use crate::support::server::{Server, answer};
use crate::support::store::{Setup, Store};
use serde_json::{Value as Json, json};
use whimbrel_plugin::Limits;

/// A call that waits for the host, while which the next one's instance is made.
async fn wait(store: &Store) {
    store.read("sleep", json!({ "n": 5 })).await.unwrap();
}

#[tokio::test]
async fn they_begin_with_nothing_and_may_no_more_than_others() {
    let limits = Limits {
        memory_bytes: 8 << 20,
        ..Limits::default()
    };
    let store = Setup::new().limits(limits).store().await;
    let first = store.read("memory", Json::Null).await.err().unwrap();
    for _ in 0..2 {
        wait(&store).await;
        let later = store.read("memory", Json::Null).await.err().unwrap();
        assert_eq!(later.message, first.message);
        wait(&store).await;
        let found = store.value("stain", json!({ "n": 2 })).await.unwrap();
        assert_eq!(found, "[0,131072]");
        wait(&store).await;
        assert_eq!(store.value("reads", Json::Null).await.unwrap(), "1");
        wait(&store).await;
        let call = store.value("call", Json::Null).await.unwrap();
        assert!(call.contains("secrets/bad/read"), "{call}");
        wait(&store).await;
        store.read("log", json!({ "text": "heard" })).await.unwrap();
    }
    assert_eq!(store.log().matches("heard").count(), 2);
}

#[tokio::test]
async fn a_configuration_that_asks_for_more_is_taken_in_each_call() {
    let server = Server::plain(|_| answer("200 OK", "", "")).await;
    let url = format!("http://{}/", server.address);
    for with in [
        json!({ "ask": { "url": url } }),
        // One that refers to a secret is read anew by each call.
        json!({ "ask": { "url": "secret://test/url" } }),
    ] {
        let before = server.requests().len();
        let setup = Setup::new().http(&format!("{url}*")).with(with);
        setup.materials.set("secret://test/url", &url);
        let store = setup.store().await;
        for calls in 1..4 {
            wait(&store).await;
            assert_eq!(store.value("heard", Json::Null).await.unwrap(), "200");
            assert_eq!(server.requests().len() - before, 2 * calls);
        }
    }
}

#[tokio::test]
async fn what_configures_waits_with_its_configuration_and_says_what_it_says() {
    let store = Setup::new().with(json!({ "a": "b" })).store().await;
    for _ in 0..3 {
        wait(&store).await;
        assert_eq!(
            store.value("config", Json::Null).await.unwrap(),
            r#"{"a":"b"}"#
        );
    }
    let refusing = Setup::new().with(json!({ "refuse": "no" })).store().await;
    for _ in 0..3 {
        let refused = refusing
            .read("sleep", json!({ "n": 5 }))
            .await
            .err()
            .unwrap();
        assert_eq!(
            (refused.code.as_str(), refused.message.as_str()),
            ("store.refused", "no")
        );
    }
}

#[tokio::test]
async fn nobody_waits_for_one_that_is_never_configured() {
    let limits = Limits {
        compute: Duration::from_secs(60),
        store_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let setup = Setup::new().limits(limits).with(json!({ "loop": true }));
    let store = setup.store().await;
    let read = store.read("sleep", json!({ "n": 5 }));
    let ended = tokio::time::timeout(Duration::from_secs(20), read).await;
    // The call's own limit holds.
    let fault = ended.unwrap().err().unwrap();
    assert!(fault.message.contains("200ms"), "{}", fault.message);
}

#[tokio::test]
async fn those_that_wait_take_nobodys_place() {
    let limits = Limits {
        pooled_calls: 2,
        pooled_ahead: 1,
        ..Limits::default()
    };
    let setup = Setup::new().limits(limits);
    let plugin = setup.plugin().await;
    let stores: Vec<Store> = (0..4)
        .map(|_| Store::of(plugin.clone(), setup.clone()))
        .collect();
    let [one, another, third, fourth] = &stores[..] else {
        panic!("four stores");
    };
    for _ in 0..2 {
        wait(one).await;
        wait(another).await;
        tokio::join!(wait(third), wait(fourth));
    }
}
