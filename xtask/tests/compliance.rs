//! docs/compliance.md says what rules and tests say.

use std::process::Command;

#[test]
fn the_compliance_page_is_up_to_date_and_no_rule_is_without_a_test_or_a_deviation() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["compliance", "--check"]).output();
    let output = output.expect("xtask runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
