//! What a decision costs: printed, not judged (`cargo test --release -p packstone-access --test speed -- --nocapture`).

mod account;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use account::{ACCOUNT, BUCKET, bucket_policy, inline, owner, user};
use packstone_access::{Action, Context, Name, Request, Resource, Scope};

#[test]
fn a_user_with_twenty_statements() {
    let statements: Vec<String> = (0..20)
        .map(|desk| {
            let effect = if desk % 5 == 4 { "Deny" } else { "Allow" };
            format!(
                r#"{{"Sid": "Desk{desk}", "Effect": "{effect}", "Action": ["s3:GetObject*", "s3:PutObject"],
                     "Resource": "arn:aws:s3:::ticks/desk{desk}/*/${{aws:username}}/*",
                     "Condition": {{"IpAddress": {{"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
                                   "StringLike": {{"aws:UserAgent": "*Boto*"}}}}}}"#
            )
        })
        .collect();
    let policy = bucket_policy(
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::ticks/*",
            "Condition": {"Bool": {"aws:SecureTransport": false}}}"#,
    );
    let identity = Arc::new(user("alice").with_policy(inline(&statements.join(","))));
    let facts = Context::new()
        .with(Name::SourceIp, "10.1.2.3")
        .with(Name::SecureTransport, "true")
        .with(Name::UserAgent, "Boto3/1.40 md/Botocore#1.40 ua/2.1 os/linux");
    let own = owner(ACCOUNT);
    let scope = Scope { owner: Some(&own), policy: Some(&policy), ..Scope::default() };
    let key = "desk18/2026/07/01/fills/alice/000123.bin";
    let resource = Resource::Object { bucket: BUCKET, key };
    let request = Request { identity: &identity, action: Action::GetObject, resource, facts: &facts, scope };
    assert_eq!(request.decide().to_string(), "allowed by statement 19 (Desk18) of identity-based policy inline");

    const ROUNDS: u32 = 100_000;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        black_box(black_box(&request).decide().is_allowed());
    }
    println!("{:?} a decision", begun.elapsed() / ROUNDS);
}
