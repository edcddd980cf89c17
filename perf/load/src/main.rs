//! `packstone-load SCENARIO --endpoint URL …`: runs one scenario and prints its report as JSON.

use std::process::ExitCode;

use clap::Parser;
use packstone_load::{options::Options, run};

/// The scenario ran, but requests failed.
const REQUESTS_FAILED: u8 = 3;

fn main() -> ExitCode {
    let options = Options::parse();
    let report = match run::run(&options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("packstone-load: {error}");
            return ExitCode::FAILURE;
        }
    };
    match serde_json::to_string_pretty(&report) {
        Ok(text) => println!("{text}"),
        Err(error) => {
            eprintln!("packstone-load: the report cannot be written: {error}");
            return ExitCode::FAILURE;
        }
    }
    if report.errors > 0 { ExitCode::from(REQUESTS_FAILED) } else { ExitCode::SUCCESS }
}
