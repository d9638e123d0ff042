//! Who is locked out when, and who is not.

use super::*;

const SETTINGS: Lockout = Lockout {
    failures: 3,
    address_failures: 0,
    seconds: 100,
};

fn at(name: &str, address: &str) -> Guesser {
    Guesser::new(name, None, Some(address.parse().unwrap()))
}

#[test]
fn the_third_failure_locks_this_name_from_here() {
    let failures = Failures::default();
    let anna = at("anna", "10.0.0.1");
    for time in 1..=3 {
        assert!(failures.check(anna, &SETTINGS).is_ok());
        assert_eq!(failures.add(anna, &SETTINGS), time == 3);
    }
    let refused = failures.check(anna, &SETTINGS);
    assert!(matches!(refused, Err(Error::LockedOut(1..=100))), "{refused:?}");
    assert!(failures.check(at("anna", "10.0.0.2"), &SETTINGS).is_ok());
    assert!(failures.check(at("ben", "10.0.0.1"), &SETTINGS).is_ok());
    assert!(
        failures
            .check(
                anna,
                &Lockout {
                    failures: 0,
                    ..SETTINGS
                }
            )
            .is_ok()
    );
}

#[test]
fn a_success_forgets() {
    let failures = Failures::default();
    let anna = at("anna", "10.0.0.1");
    failures.add(anna, &SETTINGS);
    failures.add(anna, &SETTINGS);
    failures.forget(anna);
    failures.add(anna, &SETTINGS);
    assert!(failures.check(anna, &SETTINGS).is_ok());
}

#[test]
fn old_failures_do_not_count() {
    let failures = Failures::default();
    let anna = at("anna", "10.0.0.1");
    let past = Lockout {
        seconds: 0,
        ..SETTINGS
    };
    for _ in 0..5 {
        failures.add(anna, &past);
        assert!(failures.check(anna, &past).is_ok());
    }
}

#[test]
fn networks_of_ipv6_count_as_one() {
    assert_eq!(at("anna", "2001:db8::1"), at("anna", "2001:db8::ffff:1"));
    assert_ne!(at("anna", "2001:db8::1"), at("anna", "2001:db8:0:1::1"));
    assert_eq!(at("anna", "::ffff:10.0.0.1"), at("anna", "10.0.0.1"));
    assert_ne!(at("anna", "10.0.0.1"), Guesser::new("anna", None, None));
}

#[test]
fn they_are_bounded() {
    let failures = Failures::default();
    let many = Lockout {
        seconds: 1000,
        ..SETTINGS
    };
    let anna = at("anna", "10.0.0.1");
    assert!((0..3).any(|_| failures.add(anna, &many)));
    for number in 0..LOCKOUTS_MAX {
        failures.add(at(&number.to_string(), "10.0.0.1"), &SETTINGS);
    }
    assert_eq!(failures.names.0.lock().len(), LOCKOUTS_MAX);
    assert!(failures.check(anna, &many).is_err(), "the longest stays");
}

#[test]
fn one_password_is_not_tried_for_many_names() {
    let failures = Failures::default();
    let settings = Lockout {
        address_failures: 5,
        ..SETTINGS
    };
    for number in 1..=5 {
        let guesser = at(&number.to_string(), "10.0.0.1");
        assert!(failures.check(guesser, &settings).is_ok());
        assert_eq!(failures.add(guesser, &settings), number == 5);
        // Knowing one password pays for no guesses of others.
        failures.forget(guesser);
    }
    let refused = failures.check(at("anna", "10.0.0.1"), &settings);
    assert!(matches!(refused, Err(Error::LockedOut(1..=100))), "{refused:?}");
    assert!(failures.check(at("anna", "10.0.0.1"), &SETTINGS).is_ok());
    assert!(failures.check(at("anna", "10.0.0.2"), &settings).is_ok());
}

#[test]
fn this_machine_has_no_budget() {
    let failures = Failures::default();
    let settings = Lockout {
        address_failures: 2,
        ..SETTINGS
    };
    let here = |name: &str| {
        [
            at(name, "127.0.0.1"),
            at(name, "::1"),
            Guesser::new(name, None, None),
        ]
    };
    for number in 0..9 {
        for guesser in here(&number.to_string()) {
            assert!(!failures.add(guesser, &settings));
        }
    }
    for guesser in here("anna") {
        assert!(failures.check(guesser, &settings).is_ok());
    }
}
