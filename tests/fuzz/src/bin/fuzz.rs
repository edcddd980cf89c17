//! libFuzzer on the target that `PACKSTONE_FUZZ_TARGET` names, whose seeds go to the folder `PACKSTONE_FUZZ_SEEDS`
//! first; without a target it prints their names. `scripts/fuzz.sh` builds and calls it.
#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "without a target there is nothing to do")]

use std::env::var;
use std::path::Path;
use std::sync::OnceLock;

use packstone_fuzz::{TARGETS, Target, target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn begin() {
    let Ok(name) = var("PACKSTONE_FUZZ_TARGET") else {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        std::process::exit(0);
    };
    let target = target(&name).expect("PACKSTONE_FUZZ_TARGET should name a target");
    if let Ok(folder) = var("PACKSTONE_FUZZ_SEEDS") {
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{number}")), seed).expect("the folder of the seeds");
        }
    }
    TARGET.get_or_init(|| target);
}

libfuzzer_sys::fuzz_target!(init: begin(), |input: &[u8]| (TARGET.get().unwrap().run)(input));
