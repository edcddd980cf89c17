//! What must hold of every token, whatever it says.
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a trial says by a panic what doesn't hold")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{ALGORITHMS, Claims, LONGEST, Token, accepted};
use crate::oidc::Issuer;

/// Of a token with this header and these claims only what can be verified is looked at further, and of what its issuer
/// signed only what is for somebody here.
pub fn token(header: &[u8], claims: &[u8]) {
    let text = format!("{}.{}.c2lnbmVk", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    if let Ok(token) = Token::parse(&text) {
        assert!(text.len() <= LONGEST && ALGORITHMS.contains(&token.algorithm), "{text}");
        if let Ok(issuer) = Issuer::parse(&token.issuer) {
            assert!(issuer.is(&token.issuer) && issuer.discovery().starts_with(issuer.url().trim_end_matches('/')));
            assert!(issuer.url().starts_with("https://") || issuer.may_point_at(issuer.url()), "{}", issuer.url());
        }
    }
    let Ok(said) = serde_json::from_slice::<Claims>(claims) else { return };
    if let Ok(verified) = accepted(said, &["desk".to_owned()]) {
        assert_eq!(verified.audience, "desk");
        assert!((1..=255).contains(&verified.subject.len()));
        assert_eq!(verified.claims["aud"], ["desk"]);
        assert_eq!(verified.claims["sub"], [verified.subject]);
    }
}
