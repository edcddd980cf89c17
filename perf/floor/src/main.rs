//! The S3 front over a map in memory: what no store behind this front can be faster than.
//!
//! `packstone-floor --s3 HOST:PORT`, with root credentials from `PACKSTONE_ROOT_USER` and `PACKSTONE_ROOT_PASSWORD`,
//! prints one line that begins `packstone-floor ready` and serves until it is killed.

mod memory;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use memory::Memory;
use mimalloc::MiMalloc;
use packstone_s3::front::Front;
use packstone_s3::identity::KeyRing;
use packstone_s3::{MasterKey, Settings};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn settings() -> Result<Settings, String> {
    let mut arguments = env::args().skip(1);
    let (Some(flag), Some(address), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: packstone-floor --s3 HOST:PORT".into());
    };
    if flag != "--s3" {
        return Err(format!("{flag}: only --s3 is known"));
    }
    let from = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    Ok(Settings::new(&address, &from("PACKSTONE_ROOT_USER")?, &from("PACKSTONE_ROOT_PASSWORD")?))
}

fn serve() -> Result<(), String> {
    let settings = settings()?;
    let runtime = settings.runtime().map_err(|error| error.to_string())?;
    // It seals nothing: root is the only one who signs.
    let master = MasterKey::new(&[0; 32]).map_err(|error| error.to_string())?;
    let ring = KeyRing::new(&settings.access_key, &settings.secret_key, Arc::new(master));
    let front = Front::start(Memory::new(), ring, &settings, runtime.handle()).map_err(|error| error.to_string())?;
    println!("packstone-floor ready s3=http://{}", front.address());
    runtime.block_on(std::future::pending::<()>());
    Ok(())
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packstone-floor: {error}");
            ExitCode::FAILURE
        }
    }
}
