//! The engine's log: lines on standard error, from `PACKSTONE_LOG` (default `info`).

use tracing_subscriber::EnvFilter;

/// Installs the log once; a host that has one of its own keeps it.
pub fn install() {
    let directives = std::env::var("PACKSTONE_LOG").unwrap_or_else(|_| "info".into());
    let filter = EnvFilter::new(format!("{directives},{}=off,fjall=error,lsm_tree=error", packstone_s3::QUIET_TARGET));
    // Fails only where a subscriber is installed already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
}
