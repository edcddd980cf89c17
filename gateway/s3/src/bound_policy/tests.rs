#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use crate::identity::{Known, MasterKey, Own, Record};

use super::*;

const ALICE: &str = "arn:aws:iam::000000000000:user/desk/alice";
const BOT: &str = "arn:aws:iam::000000000000:role/bot";
const SESSION: &str = "arn:aws:sts::000000000000:assumed-role/bot/night";

fn record(id: &str, path: &str, name: &str, own: Own) -> Record {
    Record {
        id: id.into(),
        path: path.into(),
        name: name.into(),
        created: 1,
        tags: BTreeMap::new(),
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        boundary: None,
        own,
    }
}

fn alice(id: &str, name: &str) -> Record {
    record(id, "/desk/", name, Own::User { keys: Vec::new(), groups: BTreeSet::new() })
}

fn records(people: impl IntoIterator<Item = Record>) -> Records {
    let master = MasterKey::new(&[7; 32]).unwrap();
    let mut records = Records::default();
    let trust =
        r#"{"Statement": {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}}"#;
    let own = Own::Role { trust: trust.into(), trusted: Ids::new(), description: String::new(), longest: 3600 };
    for record in people.into_iter().chain([record("AROABOT", "/", "bot", own)]) {
        records.put(Known::new(record, &master));
    }
    records
}

fn naming(who: &str) -> String {
    format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Principal": {{"AWS": {who}}}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::ticks/*", "Condition": {{"ArnEquals": {{"aws:PrincipalArn": "{ALICE}"}}}}}}]}}"#
    )
}

fn found(who: &str, records: &Records) -> Result<Ids, Nobody> {
    ids(&Policy::parse(PolicyKind::Bucket("ticks".into()), "ticks", &naming(who)).unwrap(), records)
}

#[test]
fn who_is_named_is_looked_up() {
    let records = records([alice("AIDA1", "alice")]);
    let all = format!(r#"["{ALICE}", "{BOT}", "{SESSION}", "*", "000000000000"]"#);
    let held = found(&all, &records).unwrap();
    let expected = [(ALICE, "AIDA1"), (BOT, "AROABOT"), (SESSION, "AROABOT")];
    assert_eq!(held, expected.map(|(arn, id)| (arn.to_owned(), id.to_owned())).into());
    for nobody in [
        "arn:aws:iam::000000000000:user/alice",
        "arn:aws:iam::000000000000:role/alice",
        "arn:aws:sts::000000000000:assumed-role/alice/night",
    ] {
        assert_eq!(found(&format!(r#""{nobody}""#), &records), Err(Nobody(nobody.into())));
    }
    for elsewhere in ["arn:aws:iam::123456789012:user/alice", "arn:aws:sts::000000000000:federated-user/alice"] {
        assert_eq!(found(&format!(r#""{elsewhere}""#), &records), Ok(Ids::new()));
    }
}

#[test]
fn a_policy_is_read_as_it_was_kept() {
    let text = naming(r#""*""#);
    for ids in [Ids::new(), Ids::from([(ALICE.to_owned(), "AIDA1".to_owned())])] {
        let policy = BoundPolicy { text: text.clone(), ids };
        let document = policy.encode().unwrap();
        assert_eq!(document.starts_with(b"{"), policy.ids.is_empty(), "a policy that names nobody is its text");
        assert_eq!(BoundPolicy::decode(&document), Some(policy));
    }
    assert_eq!(BoundPolicy::decode(b"PSBP\x01{"), None);
    assert_eq!(BoundPolicy::decode(b"\xff"), None);
}

#[test]
fn it_is_told_who_is_meant() {
    let text = naming(&format!(r#"["{ALICE}", "{BOT}"]"#));
    let ids = found(&format!(r#"["{ALICE}", "{BOT}"]"#), &records([alice("AIDA1", "alice")])).unwrap();
    assert_eq!(told(&text, &ids, &records([alice("AIDA1", "alice")])), text);
    let who = |people: Vec<Record>| {
        let told: Value = serde_json::from_str(&told(&text, &ids, &records(people))).unwrap();
        let statement = &told["Statement"][0];
        assert_eq!(
            statement["Condition"]["ArnEquals"]["aws:PrincipalArn"], ALICE,
            "only principals are told otherwise"
        );
        statement["Principal"]["AWS"].clone()
    };
    let renamed = "arn:aws:iam::000000000000:user/desk/carol";
    assert_eq!(who(vec![alice("AIDA1", "carol"), alice("AIDA2", "alice")]), serde_json::json!([renamed, BOT]));
    assert_eq!(who(vec![alice("AIDA2", "alice")]), serde_json::json!(["AIDA1", BOT]));
}
