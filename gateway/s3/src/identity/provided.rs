//! Managed policies that come with the node, under the names and ARNs of AWS's: everybody may be given them, and nobody
//! can change them. They are no documents of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use packstone_access::{Policy, PolicyKind};

use super::record::{Own, PolicyVersion, Record};
use super::records::Known;

/// What their ARNs begin with.
const ARN: &str = "arn:aws:iam::aws:policy";

struct Provided {
    /// What an attachment keeps, and so for ever this.
    id: &'static str,
    name: &'static str,
    description: &'static str,
    actions: &'static str,
}

const ALL: [Provided; 5] = [
    Provided {
        id: "ANPAPROVIDEDADMINISTR",
        name: "AdministratorAccess",
        description: "Everything.",
        actions: r#""*""#,
    },
    Provided {
        id: "ANPAPROVIDEDSTHREEFUL",
        name: "AmazonS3FullAccess",
        description: "All buckets and objects.",
        actions: r#""s3:*""#,
    },
    Provided {
        id: "ANPAPROVIDEDSTHREEREA",
        name: "AmazonS3ReadOnlyAccess",
        description: "Reading all buckets and objects.",
        actions: r#"["s3:Get*", "s3:List*"]"#,
    },
    Provided {
        id: "ANPAPROVIDEDIAMFULLAC",
        name: "IAMFullAccess",
        description: "Users, groups, roles, policies and keys.",
        actions: r#""iam:*""#,
    },
    Provided {
        id: "ANPAPROVIDEDIAMREADON",
        name: "IAMReadOnlyAccess",
        description: "Reading users, groups, roles, policies and keys.",
        actions: r#"["iam:Get*", "iam:List*"]"#,
    },
];

static KNOWN: LazyLock<Vec<Arc<Known>>> = LazyLock::new(|| ALL.iter().map(|each| Arc::new(each.known())).collect());

impl Provided {
    fn known(&self) -> Known {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": {}, "Resource": "*"}}}}"#,
            self.actions
        );
        #[allow(clippy::expect_used, reason = "a constant that a test compiles")]
        let policy = Policy::parse(PolicyKind::Managed, self.name, &text).expect("a constant");
        let version = PolicyVersion { number: 1, text, created: 0 };
        let record = Record {
            id: self.id.to_owned(),
            path: "/".to_owned(),
            name: self.name.to_owned(),
            created: 0,
            tags: BTreeMap::new(),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            boundary: None,
            own: Own::Policy { description: self.description.to_owned(), versions: vec![version], default: 1, next: 2 },
        };
        Known::provided(record, policy)
    }
}

/// All of them, by name.
pub(crate) fn all() -> &'static [Arc<Known>] {
    &KNOWN
}

pub(super) fn by_id(id: &str) -> Option<&'static Arc<Known>> {
    KNOWN.iter().find(|known| known.record.id == id)
}

pub(super) fn of_arn(arn: &str) -> Option<&'static Arc<Known>> {
    let name = arn.strip_prefix(ARN)?.strip_prefix('/')?;
    KNOWN.iter().find(|known| known.record.name == name)
}

/// The ARN of a policy that comes with the node; None for any other.
pub(super) fn arn(record: &Record) -> Option<String> {
    is_provided(record).then(|| format!("{ARN}{}{}", record.path, record.name))
}

/// Whether it is a policy that comes with the node.
pub(crate) fn is_provided(record: &Record) -> bool {
    ALL.iter().any(|each| each.id == record.id)
}
