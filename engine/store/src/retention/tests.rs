#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const NOW: i64 = 1_000_000;

fn governance(until: i64) -> Option<Retention> {
    Some(Retention { mode: Mode::Governance, until })
}

fn compliance(until: i64) -> Option<Retention> {
    Some(Retention { mode: Mode::Compliance, until })
}

fn ends(retention: Option<Retention>, legal_hold: bool, bypass: bool) -> bool {
    may_end(Lock { retention, legal_hold }, NOW, bypass).is_ok()
}

#[test]
fn what_is_not_locked_ends() {
    assert!(ends(None, false, false));
    assert!(ends(governance(NOW), false, false));
    assert!(ends(compliance(NOW), false, false));
}

#[test]
fn compliance_ends_for_nobody() {
    assert!(!ends(compliance(NOW + 1), false, false));
    assert!(!ends(compliance(NOW + 1), false, true));
    assert!(!ends(compliance(i64::MAX), false, true));
}

#[test]
fn governance_ends_for_who_may_bypass_it() {
    assert!(!ends(governance(NOW + 1), false, false));
    assert!(ends(governance(NOW + 1), false, true));
}

#[test]
fn a_legal_hold_outlasts_everything() {
    for retention in [None, governance(NOW - 1), governance(NOW + 1), compliance(NOW - 1)] {
        assert!(matches!(may_end(Lock { retention, legal_hold: true }, NOW, true), Err(Error::LegalHold)));
    }
}

#[test]
fn extending_is_allowed() {
    for (old, new) in [(governance(NOW + 5), governance(NOW + 6)), (compliance(NOW + 5), compliance(NOW + 6))] {
        assert!(may_change(old, new, NOW, false).is_ok());
        assert!(may_change(old, old, NOW, false).is_ok());
    }
    assert!(may_change(None, compliance(NOW + 1), NOW, false).is_ok());
}

#[test]
fn loosening_compliance_is_refused() {
    for new in [None, compliance(NOW + 4), governance(NOW + 9)] {
        assert!(
            matches!(may_change(compliance(NOW + 5), new, NOW, true), Err(Error::Locked { until }) if until == NOW + 5)
        );
    }
}

#[test]
fn loosening_governance_takes_a_bypass() {
    for new in [None, governance(NOW + 4), compliance(NOW + 9)] {
        assert!(may_change(governance(NOW + 5), new, NOW, false).is_err());
        assert!(may_change(governance(NOW + 5), new, NOW, true).is_ok());
    }
}

#[test]
fn what_has_expired_may_change() {
    assert!(may_change(compliance(NOW), None, NOW, false).is_ok());
    assert!(may_change(compliance(NOW - 1), governance(NOW + 1), NOW, false).is_ok());
}

#[test]
fn a_retention_that_would_hold_nothing_is_refused() {
    for bypass in [false, true] {
        assert!(matches!(may_change(None, governance(NOW), NOW, bypass), Err(Error::RetentionPast)));
    }
}

#[test]
fn a_default_is_counted_in_days() {
    let of = |period| DefaultRetention { mode: Mode::Compliance, period }.from(NOW).until - NOW;
    assert_eq!((of(Period::Days(2)), of(Period::Years(1))), (2 * DAY, 365 * DAY));
    assert!(of(Period::Years(u32::MAX)) > 0);
}

#[test]
fn a_drive_is_kept_for_whole_days() {
    let until = |until| Lock { retention: compliance(until), legal_hold: false }.retain_until() / 1_000_000_000;
    assert_eq!((until(0), until(1), until(DAY - 1), until(DAY)), (DAY, DAY, DAY, 2 * DAY));
    assert_eq!(Lock { retention: compliance(i64::MAX), legal_hold: false }.retain_until(), i64::MAX);
    assert_eq!(Lock { retention: compliance(NOW), legal_hold: true }.retain_until(), i64::MAX);
    assert_eq!(Lock::default().retain_until(), 0);
}
