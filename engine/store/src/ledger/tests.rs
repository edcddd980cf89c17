#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::retention::Mode;

fn deeds() -> Vec<Deed> {
    let held = Held { bucket: "fills".into(), key: "2026/é".into(), version: VersionId(7) };
    let from = Retention { mode: Mode::Governance, until: 900 };
    let to = Some(Retention { mode: Mode::Governance, until: 800 });
    vec![
        Deed::Ended { held: held.clone(), retention: from },
        Deed::Loosened { held: held.clone(), from, to },
        Deed::Loosened { held: held.clone(), from, to: None },
        Deed::Released { held },
        Deed::Approved { time: -1, second: false },
        Deed::Approved { time: i64::MAX, second: true },
    ]
}

#[test]
fn what_is_written_is_read() {
    for deed in deeds() {
        let event = Event { actor: "arn:aws:iam::1:user/ann".into(), at: 5, compliance: 4, deed };
        assert_eq!(Event::decode(&event.encode()).unwrap(), event);
    }
    let approval = Approval { time: 3, given: 2 };
    assert_eq!(Approval::decode(&approval.encode()).unwrap(), approval);
}

#[test]
fn bytes_cut_short_or_of_a_later_version_are_refused() {
    for deed in deeds() {
        let bytes = Event { actor: "root".into(), at: 5, compliance: 4, deed }.encode();
        for length in 0..bytes.len() {
            assert!(Event::decode(&bytes[..length]).is_err(), "{length} bytes of {bytes:?}");
        }
        let mut later = bytes;
        later[0] = 2;
        assert!(Event::decode(&later).is_err());
    }
    assert!(Approval::decode(&[1, 0]).is_err());
}

#[test]
fn an_approval_stands_for_its_time_and_a_week() {
    let approval = Approval { time: 50, given: 1000 };
    assert!(approval.stands_for(50, 1000));
    assert!(approval.stands_for(50, 999 + APPROVAL_STANDS));
    assert!(!approval.stands_for(50, 1000 + APPROVAL_STANDS));
    assert!(!approval.stands_for(51, 1000));
}
