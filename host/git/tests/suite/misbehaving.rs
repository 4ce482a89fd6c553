//! Servers that are silent, endless, or say what is no Git: a fetch ends in time, says why, and leaves the mirror alone.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use whimbrel_git::{Access, Address, HttpCredential, KnownHosts, Limits, Mirror, RemoteError};

const ID: &str = "0123456789012345678901234567890123456789";

/// A server that answers each connection so.
fn server(
    answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = std::sync::Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut request = vec![0; 100_000];
                stream
                    .set_read_timeout(Some(Duration::from_millis(300)))
                    .unwrap();
                let count = stream.read(&mut request).unwrap_or(0);
                let text = String::from_utf8_lossy(request.get(..count).unwrap()).into_owned();
                // Whoever it was for may have gone.
                let _ = answer(&text, &mut stream);
            });
        }
    });
    port
}

fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// Git's list of refs.
fn advertisement(capabilities: &str) -> String {
    let first = line(&format!("{ID} refs/heads/main\0{capabilities}\n"));
    format!("{}0000{first}0000", line("# service=git-upload-pack\n"))
}

fn head(kind: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-git-upload-pack-{kind}\r\n\r\n"
    )
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        stall: Duration::from_millis(600),
        total: Duration::from_secs(5),
        pack: 1 << 20,
        advertisement: 1 << 20,
        ..Limits::default()
    }
}

fn fetch(address: &str, limits: Limits) -> RemoteError {
    let cache = tempfile::tempdir().unwrap();
    let mirror = Mirror::new(cache.path(), Address::parse(address).unwrap(), limits);
    let access = Access {
        known_hosts: KnownHosts::Lines(String::new()),
        ..Access::default()
    };
    let begun = Instant::now();
    let error = mirror.fetch(&access, &[]).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
    // What was there, which is nothing, is still whole.
    assert!(mirror.last().is_some() && mirror.last().unwrap().resolve("main").is_err());
    error
}

fn fetch_from(port: u16) -> RemoteError {
    fetch(&format!("http://127.0.0.1:{port}/shop.git"), limits())
}

#[test]
fn a_silent_server_is_given_up() {
    let port = server(|_, _| {
        std::thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    let error = fetch_from(port);
    assert!(
        matches!(error, RemoteError::TimedOut(_)) && error.is_temporary(),
        "{error}"
    );
    let port = server(|_, stream| {
        stream.write_all(head("advertisement").as_bytes())?;
        stream.write_all(line("# service=git-upload-pack\n").as_bytes())?;
        std::thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    let error = fetch_from(port);
    assert!(matches!(error, RemoteError::TimedOut(_)), "{error}");
}

#[test]
fn a_server_that_drips_is_given_up() {
    let port = server(|_, stream| {
        stream.write_all(head("advertisement").as_bytes())?;
        stream.write_all(format!("{}0000", line("# service=git-upload-pack\n")).as_bytes())?;
        loop {
            std::thread::sleep(Duration::from_millis(200));
            stream.write_all(line(&format!("{ID} refs/heads/x\n")).as_bytes())?;
        }
    });
    let error = fetch(
        &format!("http://127.0.0.1:{port}/shop.git"),
        Limits {
            total: Duration::from_secs(1),
            ..limits()
        },
    );
    assert!(matches!(error, RemoteError::TimedOut(_)), "{error}");
}

#[test]
fn endless_answers_are_cut_off() {
    let port = server(|_, stream| {
        stream.write_all(head("advertisement").as_bytes())?;
        stream.write_all(format!("{}0000", line("# service=git-upload-pack\n")).as_bytes())?;
        loop {
            stream.write_all(line(&format!("{ID} refs/heads/x\n")).as_bytes())?;
        }
    });
    let error = fetch_from(port);
    assert!(matches!(error, RemoteError::TooLarge { .. }), "{error}");
    let port = server(|request, stream| {
        if request.starts_with("GET") {
            stream.write_all(head("advertisement").as_bytes())?;
            return stream.write_all(advertisement("side-band-64k").as_bytes());
        }
        stream.write_all(head("result").as_bytes())?;
        stream.write_all(line("NAK\n").as_bytes())?;
        loop {
            stream.write_all(line(&format!("\u{2}{}", "progress ".repeat(1000))).as_bytes())?;
        }
    });
    let error = fetch_from(port);
    assert!(
        matches!(error, RemoteError::TooLarge { .. }) && error.hint().is_some(),
        "{error}"
    );
}

#[test]
fn what_is_no_answer_is_told_as_what_it_is() {
    for (capabilities, answer, words) in [
        ("", String::new(), "side-band-64k"),
        (
            "side-band-64k object-format=sha256",
            String::new(),
            "sha256",
        ),
        ("side-band-64k", String::new(), "cut off"),
        ("side-band-64k", "0000".to_owned(), "no pack came"),
        ("side-band-64k", line("nonsense\n"), "no pack"),
        (
            "side-band-64k",
            line("ERR upload-pack: not our ref\n"),
            "not our ref",
        ),
        (
            "side-band-64k",
            format!("{}{}", line("NAK\n"), line("\u{3}the disk is\u{7} full\n")),
            "the disk is  full",
        ),
        (
            "side-band-64k",
            format!("{}{}", line("NAK\n"), line("\u{1}PACK")),
            "cut off",
        ),
        (
            "side-band-64k",
            format!(
                "{}{}0000",
                line("NAK\n"),
                line("\u{1}no pack at all, but long enough")
            ),
            "pack",
        ),
        (
            "side-band-64k",
            format!("{}{}", line("NAK\n"), &line("\u{1}PACK and more")[..12]),
            "cut off",
        ),
    ] {
        let port = server(move |request, stream| {
            if request.starts_with("GET") {
                stream.write_all(head("advertisement").as_bytes())?;
                return stream.write_all(advertisement(capabilities).as_bytes());
            }
            stream.write_all(head("result").as_bytes())?;
            stream.write_all(answer.as_bytes())
        });
        let error = fetch_from(port);
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert!(!error.is_temporary(), "{error}");
    }
}

#[test]
fn statuses_are_told_apart() {
    for (status, denied, temporary) in [
        (401, true, false),
        (403, true, false),
        (413, false, false),
        (429, false, true),
        (502, false, true),
    ] {
        let port = server(move |_, stream| {
            let text =
                format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(text.as_bytes())
        });
        let error = fetch_from(port);
        assert_eq!(
            matches!(error, RemoteError::Denied { .. }),
            denied,
            "{error}"
        );
        assert_eq!(error.is_temporary(), temporary, "{error}");
    }
    let port = server(|_, stream| {
        stream.write_all(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    assert!(matches!(fetch_from(port), RemoteError::Protocol(_)));
    let port = server(|_, stream| stream.write_all(b"SSH-2.0-elsewhere\r\n"));
    assert!(matches!(fetch_from(port), RemoteError::Unreachable { .. }));
}

#[test]
fn a_credential_is_sent_as_it_is_asked_for_and_nowhere_else() {
    let bearer = Access {
        http: Some(HttpCredential::Bearer("a-token".to_owned().into())),
        ..Access::default()
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let port = server(move |request, stream| {
        sender.send(request.to_lowercase()).unwrap();
        stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    let cache = tempfile::tempdir().unwrap();
    let address = Address::parse(&format!("http://127.0.0.1:{port}/shop.git")).unwrap();
    let error = Mirror::new(cache.path(), address, limits())
        .fetch(&bearer, &[])
        .unwrap_err();
    assert!(matches!(error, RemoteError::NotFound(_)), "{error}");
    assert!(
        receiver
            .recv()
            .unwrap()
            .contains("authorization: bearer a-token")
    );
    let address = Address::parse("http://git.invalid/shop.git").unwrap();
    let error = Mirror::new(cache.path(), address, limits())
        .fetch(&bearer, &[])
        .unwrap_err();
    assert!(matches!(error, RemoteError::PlainText(_)), "{error}");
    let wrong = Access {
        authorities: Some("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned()),
        ..Access::default()
    };
    let address = Address::parse("https://git.invalid/shop.git").unwrap();
    let error = Mirror::new(cache.path(), address, limits())
        .fetch(&wrong, &[])
        .unwrap_err();
    assert!(matches!(error, RemoteError::Credential { .. }), "{error}");
}

#[test]
fn nobody_there_is_worth_another_try() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for address in [
        format!("http://127.0.0.1:{port}/shop.git"),
        format!("ssh://git@127.0.0.1:{port}/shop.git"),
        "https://nowhere.invalid/shop.git".to_owned(),
        "git@nowhere.invalid:shop.git".to_owned(),
    ] {
        let error = fetch(&address, limits());
        assert!(
            matches!(error, RemoteError::Unreachable { .. }) && error.is_temporary(),
            "{error}"
        );
    }
}

#[test]
fn what_speaks_no_ssh_is_given_up() {
    let port = server(|_, stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error = fetch(&format!("ssh://git@127.0.0.1:{port}/shop.git"), limits());
    assert!(error.is_temporary(), "{error}");
    let port = server(|_, _| {
        std::thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    let error = fetch(&format!("ssh://git@127.0.0.1:{port}/shop.git"), limits());
    assert!(matches!(error, RemoteError::TimedOut(_)), "{error}");
}
