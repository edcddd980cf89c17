#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::keys::{Pace, Unreachable};
use super::*;

fn keyring(pause: Duration, ageing: Duration) -> Keyring {
    Keyring::paced(Fetch::new(None).unwrap(), Pace { pause, ageing })
}

/// An issuer that hangs before it answers with nonsense, and counts who asks.
async fn slow(wait: Duration) -> (Issuer, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = Issuer::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                tokio::time::sleep(wait).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
            });
        }
    });
    (issuer, asked)
}

#[tokio::test]
async fn many_who_wait_for_an_issuer_ask_it_once_and_some_are_sent_away() {
    let (issuer, asked) = slow(Duration::from_millis(200)).await;
    let keyring = keyring(Duration::from_secs(60), Duration::MAX);
    let all = (0..100).map(|_| async { keyring.find(&issuer, |_| Some(())).await });
    let started = std::time::Instant::now();
    let answers = futures::future::join_all(all).await;
    assert!(answers.iter().all(|answer| *answer == Err(Unreachable)));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(started.elapsed() < Duration::from_secs(2), "they waited for one answer, not for one each");
}

#[tokio::test]
async fn an_issuer_is_asked_again_after_a_pause() {
    let (issuer, asked) = slow(Duration::ZERO).await;
    let keyring = keyring(Duration::from_millis(50), Duration::MAX);
    for _ in 0..3 {
        assert_eq!(keyring.find(&issuer, |_| Some(())).await, Err(Unreachable));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(keyring.find(&issuer, |_| Some(())).await, Err(Unreachable));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

/// An issuer that gives one key until it is `broken`, and takes its time.
async fn giving(wait: Duration) -> (Issuer, Arc<AtomicUsize>, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = Issuer::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (asked, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (counter, fails, url) = (asked.clone(), broken.clone(), issuer.url().to_owned());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            tokio::time::sleep(wait).await;
            let discovery = String::from_utf8_lossy(&request[..read]).starts_with("GET /.well-known/");
            counter.fetch_add(usize::from(!discovery), Ordering::SeqCst);
            let body = match (fails.load(Ordering::SeqCst), discovery) {
                (true, _) => "{}".to_owned(),
                (false, true) => format!(r#"{{"issuer": "{url}", "jwks_uri": "{url}/keys"}}"#),
                (false, false) => r#"{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#.to_owned(),
            };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (issuer, asked, broken)
}

#[tokio::test]
async fn ageing_keys_are_asked_for_again_beside_who_uses_them() {
    let (issuer, asked, broken) = giving(Duration::from_millis(100)).await;
    let keyring = keyring(Duration::ZERO, Duration::ZERO);
    let count = |keys: &[keys::Key]| Some(keys.len());
    assert_eq!(keyring.find(&issuer, count).await, Ok(Some(1)));
    for _ in 0..10 {
        let started = std::time::Instant::now();
        assert_eq!(keyring.find(&issuer, count).await, Ok(Some(1)));
        assert!(started.elapsed() < Duration::from_millis(100), "it waited for the issuer");
    }
    let again = async {
        while asked.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.unwrap();
    broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(keyring.find(&issuer, count).await, Ok(Some(1)), "what it gave before is believed still");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn fresh_keys_are_not_asked_for_again() {
    let (issuer, asked, _) = giving(Duration::ZERO).await;
    let keyring = keyring(Duration::ZERO, Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(keyring.find(&issuer, |keys| Some(keys.len())).await, Ok(Some(1)));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_issuer_that_hangs_is_not_waited_for_for_long() {
    let (issuer, _) = slow(Duration::from_secs(60)).await;
    let started = std::time::Instant::now();
    let fetched = Fetch::new(None).unwrap().get(&issuer.discovery()).await;
    assert!(fetched.unwrap_err().contains("no answer within 5 s"));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_can_be_an_issuer() {
    for url in ["https://idp.example", "https://idp.example:8443/realms/a/", "http://localhost:1", "http://[::1]:1/a"] {
        assert!(Issuer::parse(url).is_ok(), "{url}");
    }
    for (url, why) in [
        ("http://idp.example", Unusable::Insecure),
        ("http://127.0.0.1.idp.example", Unusable::Insecure),
        ("http://localhost.idp.example", Unusable::Insecure),
        ("http://127.0.0.1@idp.example", Unusable::Malformed),
        ("https://a b", Unusable::Malformed),
        ("/realms", Unusable::Malformed),
    ] {
        assert_eq!(Issuer::parse(url).unwrap_err(), why, "{url}");
    }
    let secure = Issuer::parse("https://idp.example/a").unwrap();
    assert!(secure.is("https://idp.example/a/") && !secure.is("https://idp.example/A"));
    assert!(secure.may_point_at("https://keys.example/a") && !secure.may_point_at("http://127.0.0.1/a"));
    assert!(!secure.may_point_at("file:///etc/passwd") && !secure.may_point_at("http://keys.example"));
    let near = Issuer::parse("http://localhost:8080/a").unwrap();
    assert!(near.may_point_at("http://localhost:8080/keys"));
    for elsewhere in
        ["http://localhost:8081/a", "http://localhost/a", "http://127.0.0.1:8080/a", "https://keys.example"]
    {
        assert!(!near.may_point_at(elsewhere), "{elsewhere}");
    }
    assert!(Issuer::parse("http://[::1]/a").unwrap().may_point_at("http://[::1]:80/keys"));
}

#[test]
fn authorities_come_from_a_file_that_holds_some() {
    let scratch = tempfile::tempdir().unwrap();
    assert!(Fetch::new(Some(&scratch.path().join("absent"))).is_err());
    let empty = scratch.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let refused = Fetch::new(Some(&empty)).err().unwrap();
    assert!(refused.to_string().ends_with("it holds no certificate"), "{refused}");
}

proptest! {
    #[test]
    fn no_text_is_taken_for_a_token_that_is_none(text in any::<String>()) {
        prop_assert!(Token::parse(&text).is_err());
    }

    #[test]
    fn no_header_panics(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
        let text = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        prop_assert!(Token::parse(&text).is_err());
    }
}
