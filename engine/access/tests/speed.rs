//! What a decision costs: printed, not judged (`cargo test --release -p packstone-access --test speed -- --nocapture`).

mod account;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use account::{ACCOUNT, BUCKET, bucket_policy, inline, owner, user};
use packstone_access::{Action, Context, Name, Request, Resource, Scope};

#[test]
fn a_user_with_twenty_statements() {
    println!(
        "{:?} a decision, each statement on a place of its own",
        cost("arn:aws:s3:::ticks/desk{desk}/*/${aws:username}/*")
    );
    // The desk comes last, so that every statement is matched to its end.
    println!("{:?} a decision, all on the same place", cost("arn:aws:s3:::ticks/*/${aws:username}/*{desk}.bin"));
}

/// One decision of a user whose twenty statements are on `resource`, of which the nineteenth applies.
fn cost(resource: &str) -> Duration {
    let statements: Vec<String> = (0..20)
        .map(|desk| {
            let effect = if desk % 5 == 4 { "Deny" } else { "Allow" };
            format!(
                r#"{{"Sid": "Desk{desk}", "Effect": "{effect}", "Action": ["s3:GetObject*", "s3:PutObject"],
                     "Resource": "{}",
                     "Condition": {{"IpAddress": {{"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
                                   "StringLike": {{"aws:UserAgent": "*Boto*"}}}}}}"#,
                resource.replace("{desk}", &format!("{desk:02}")),
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
    let key = "desk18/2026/07/01/fills/alice/000118.bin";
    let resource = Resource::Object { bucket: BUCKET, key };
    let request = Request { identity: &identity, action: Action::GetObject, resource, facts: &facts, scope };
    assert_eq!(request.decide().to_string(), "allowed by statement 19 (Desk18) of identity-based policy inline");

    const ROUNDS: u32 = 100_000;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        black_box(black_box(&request).decide().is_allowed());
    }
    begun.elapsed() / ROUNDS
}
