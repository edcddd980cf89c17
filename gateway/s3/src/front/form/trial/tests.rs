use proptest::collection::vec;
use proptest::prelude::*;

/// A form of which little is wrong.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let boundary =
        prop_oneof![9 => Just("--b0\r\n"), 1 => Just("--b0 \t\r\n"), 1 => Just("--b0--"), 1 => Just("--b\r\n")];
    let head = prop_oneof![
        6 => "Content-Disposition: form-data; name=\"[A-Za-z$\\\\\"]{0,6}\"(; filename=\"[a-z\\\\/\"]{0,6}\")?\r\n\r\n",
        1 => "[ -~\r\n]{0,30}",
    ];
    let content = prop_oneof![vec(any::<u8>(), 0..40), "[\r\n-b0]{0,30}".prop_map(String::into_bytes)];
    let part = (boundary, head, content)
        .prop_map(|(boundary, head, content)| [boundary.as_bytes(), head.as_bytes(), &content, b"\r\n"].concat());
    (vec(part, 0..5), prop_oneof!["--b0--(\r\n)?", "[\r\n-b0]{0,9}"])
        .prop_map(|(parts, end)| [parts.concat(), end.into_bytes()].concat())
}

/// A policy of which little is wrong, and fields for it.
fn policy() -> impl Strategy<Value = (String, String)> {
    let field = "(key|Key|acl|bucket|x-amz-meta-a|content-type|file)";
    let condition = prop_oneof![
        (field, "[a-c]{0,2}").prop_map(|(field, value)| format!("{{\"{field}\": \"{value}\"}}")),
        ("(eq|starts-with|Eq)", field, "[a-c]{0,2}").prop_map(|(o, f, v)| format!("[\"{o}\", \"${f}\", \"{v}\"]")),
        "\\[\"content-length-range\", [0-9]{1,3}, [0-9]{1,3}\\]",
        "[\\[\\]{}\":,a-z$0-9]{0,20}",
    ];
    let document = (vec(condition, 0..5), "(2026-01-01T00:00:00Z|[0-9TZ:-]{0,24})").prop_map(|(conditions, time)| {
        format!("{{\"expiration\": \"{time}\", \"conditions\": [{}]}}", conditions.join(", "))
    });
    let pair = (field, "[a-c]{0,2}").prop_map(|(name, value)| format!("{name}={value}"));
    (document, vec(pair, 0..4).prop_map(|pairs| pairs.join("\n")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn forms_are_the_same_in_any_pieces(body in body(), step in 1usize..40) {
        super::form(&body, step);
    }

    #[test]
    fn bytes_that_are_no_forms(body in vec(any::<u8>(), 0..400), step in 1usize..40) {
        super::form(&body, step);
    }

    #[test]
    fn policies_cover_what_they_let_through((document, pairs) in policy()) {
        super::policy(document.as_bytes(), &pairs);
    }
}
