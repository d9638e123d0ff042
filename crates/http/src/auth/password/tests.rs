//! Passwords against vectors made with Python's `hashlib`.

use super::*;

const PASSWORD: &str = "päss word";
const SALT: &str = "0f1e2d3c4b5a";
const SHA1: &str = "e972b61b059d71cabb039024336ec62168d26dd7";
const SHA256: &str = "f751a1043d948a9e9673a48579fa96e429afef091f75855f8337ddc3b7586543";
const SHA384: &str =
    "de7366dbca05eacb4d77d7a0ddfb1689b0667f7ae1d399558e4299df81be9b7c70c433b8defc242c36cb889f876849d7";
const SHA512: &str = "6caec5e0e95adbd3ed69c5fab42223090700f0ea54a7eaeb60b4b48c2b82931014a45821a844e85b950b275d7d3025ec8e9df2eb362c7b26be8085fe6b5d9d98";
const SIMPLE: &str = "ca2c9abe2db6d73cec78965bc1a62fdb42f905ef";

fn quick() -> Passwords {
    Passwords {
        iterations: 10,
        ..Passwords::default()
    }
}

fn fits(kept: &Kept) {
    assert!(kept.verify(PASSWORD), "{}", kept.text());
    for wrong in ["", "päss wor", "päss word ", "Päss word"] {
        assert!(!kept.verify(wrong), "{wrong} for {}", kept.text());
    }
}

#[test]
fn every_hash_is_couchdbs() {
    for (hash, derived) in [
        ("sha", SHA1),
        ("sha256", SHA256),
        ("sha384", SHA384),
        ("sha512", SHA512),
    ] {
        let hash = Hash::named(hash).unwrap();
        fits(&Kept::pbkdf2(hash, 1000, derived, SALT).unwrap());
        assert!(!Kept::pbkdf2(hash, 1001, derived, SALT).unwrap().verify(PASSWORD));
        assert!(
            !Kept::pbkdf2(hash, 1000, derived, "other")
                .unwrap()
                .verify(PASSWORD)
        );
    }
    fits(&Kept::simple(SIMPLE, SALT).unwrap());
    assert_eq!(Hash::named("md5"), None);
}

#[test]
fn administrators_as_couchdbs_settings_have_them() {
    for text in [
        format!("-pbkdf2-{SHA1},{SALT},1000"),
        format!("-pbkdf2:sha-{SHA1},{SALT},1000"),
        format!("-pbkdf2:sha256-{SHA256},{SALT},1000"),
        format!("-pbkdf2:sha512-{SHA512},{SALT},1000"),
        format!("-hashed-{SIMPLE},{SALT}"),
        PASSWORD.to_owned(),
    ] {
        fits(&Kept::of_admin(&text).unwrap());
        let hashed = hash_admin(&quick(), &text);
        assert_eq!(hashed == text, text.starts_with('-'));
        fits(&Kept::of_admin(&hashed).unwrap());
    }
}

#[test]
fn what_is_malformed_fits_nothing() {
    for text in [
        "-pbkdf2-".to_owned(),
        format!("-pbkdf2-{SHA1},{SALT}"),
        format!("-pbkdf2-{SHA1},{SALT},0"),
        format!("-pbkdf2-{SHA1},{SALT},-1"),
        format!("-pbkdf2-{SHA1},{SALT},99999999999"),
        format!("-pbkdf2-{SHA1},{SALT},{}", u64::from(PASSWORD_ITERATIONS_MAX) + 1),
        format!("-pbkdf2:md5-{SHA1},{SALT},1"),
        format!("-pbkdf2:sha256-{SHA1},{SALT},1000"),
        format!("-hashed-{SIMPLE}"),
        format!("-hashed-zz,{SALT}"),
    ] {
        assert_eq!(Kept::of_admin(&text), None, "{text}");
    }
}

#[test]
fn the_same_password_is_kept_otherwise_each_time() {
    let [a, b] = [(); 2].map(|()| Kept::derive(&quick(), PASSWORD));
    fits(&a);
    fits(&b);
    assert_ne!(a.salt(), b.salt());
    assert_ne!(a.fingerprint(), b.fingerprint());
    assert_eq!(a.fingerprint(), Kept::of_admin(&a.text()).unwrap().fingerprint());
    assert!(!Kept::nobodys(&quick()).verify(PASSWORD));
    assert_eq!(format!("{a:?}"), "(a password)");
}

#[test]
fn rounds_that_are_left() {
    let kept = Kept::derive(&quick(), PASSWORD);
    let all = quick().iterations;
    assert_eq!(kept.rounds(), all);
    let left = |done| kept.clone().after(done).map(|rest| rest.rounds());
    assert_eq!(left(0), Some(all));
    assert_eq!(left(all - 1), Some(1));
    assert_eq!(left(all), None);
    assert_eq!(left(u32::MAX), None);
    assert_eq!(Kept::of_admin("clear").unwrap().rounds(), 0);
}

#[test]
fn sha1_when_the_settings_say_so() {
    let settings = Passwords {
        prf: Prf::Sha1,
        ..quick()
    };
    assert!(hash_admin(&settings, "x").starts_with("-pbkdf2-"));
}
