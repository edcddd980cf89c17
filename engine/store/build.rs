//! Puts the day of the build, Unix seconds, into the library: no compliance clock begins before it.

use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, error, fs, path};

const DAY: u64 = 86_400;

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let seconds = match env::var("SOURCE_DATE_EPOCH") {
        Ok(given) => given.parse()?,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    let file = path::Path::new(&env::var("OUT_DIR")?).join("build_day.in");
    Ok(fs::write(file, (seconds / DAY * DAY).to_string())?)
}
