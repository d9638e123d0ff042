//! What is told at the start, and what is passed over.

use super::sources;
use crate::settings::Live;

fn opened(file: &str, variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("trunkline.toml"), file).unwrap();
    let opened = Live::open(sources(dir.path(), variables));
    opened
        .map(|(_, warnings)| warnings)
        .map_err(|problem| problem.to_string())
}

#[test]
fn where_kubernetes_runs_services_is_passed_over() {
    let links = [
        ("TRUNKLINE_SERVICE_HOST", "10.0.0.1"),
        ("TRUNKLINE_PORT", "tcp://10.0.0.1:5984"),
        ("TRUNKLINE_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("TRUNKLINE_SERVER_SERVICE_PORT", "5984"),
        ("TRUNKLINE_SERVER_SERVICE_PORT_HTTP", "5984"),
        ("TRUNKLINE_SERVER_PORT", "tcp://10.0.0.1:5984"),
        ("TRUNKLINE_SERVER_PORT_5984_TCP", "tcp://10.0.0.1:5984"),
        ("TRUNKLINE_SERVER_PORT_5984_TCP_ADDR", "10.0.0.1"),
        ("TRUNKLINE_SERVER_PORT_5984_TCP_PORT", "5984"),
        ("TRUNKLINE_SERVER_PORT_5984_TCP_PROTO", "tcp"),
    ];
    assert_eq!(opened("", &links), Ok(Vec::new()));
    // Whoever means to set a port is told that it is called otherwise.
    let told = opened("", &[("TRUNKLINE_SERVER_PORT", "5985")]).unwrap_err();
    assert!(told.contains("unknown variable TRUNKLINE_SERVER_PORT"), "{told}");
}

#[test]
fn what_may_not_be_meant_is_told() {
    let key = "[jwt_keys]\n\"hmac:_default\" = \"c2VjcmV0\"\n";
    let open = "[jwt]\nrequired_claims = [\"iss=us\", \"-exp\"]\n";
    let told = opened(&format!("{key}{open}"), &[]).unwrap();
    assert!(
        told.len() == 1 && told[0].contains("tokens that never end"),
        "{told:?}"
    );
    for file in [key, open] {
        assert_eq!(opened(file, &[]), Ok(Vec::new()));
    }
    let closed = "[authentication]\nrequire_valid_user = true\n";
    let told = opened(closed, &[]).unwrap();
    assert!(
        told.len() == 1 && told[0].contains("locks everyone out"),
        "{told:?}"
    );
    let admin = [
        ("TRUNKLINE_USER", "anna"),
        ("TRUNKLINE_PASSWORD", "quite secret"),
        ("TRUNKLINE_PASSWORDS_ITERATIONS", "1"),
    ];
    assert_eq!(opened(closed, &admin), Ok(Vec::new()));
}

#[test]
fn the_domain_of_cookies_is_a_hosts_name() {
    for domain in ["example.com", ".example.com", "localhost"] {
        assert_eq!(
            opened(&format!("[sessions]\ndomain = {domain:?}\n"), &[]),
            Ok(Vec::new())
        );
    }
    for domain in [
        "example.com; Path=/x",
        "example.com\r\nX: y",
        "a..b",
        ".",
        "https://example.com",
        "a b",
    ] {
        let told = opened(&format!("[sessions]\ndomain = {domain:?}\n"), &[]).unwrap_err();
        assert!(told.contains("takes a host's name"), "{told}");
    }
}
