//! `_security`, and documents of users: what is taken never gives more than it names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::access::{Identity, Rights};
use trunkline_wire::{security, user_doc};

fuzz_target!(|text: &str| {
    if let Ok(security) = security::parse(text) {
        let nobody = security.access(Identity {
            name: None,
            roles: &[],
        });
        let public = security.members.is_empty() && security.grants.is_none();
        assert_eq!(nobody.any() != Rights::NONE, public);
        for grant in security.grants.iter().flatten() {
            assert!(grant.only.is_none() || !grant.rights.any_of(Rights::CONFIGURE));
            let access = security.access(Identity {
                name: grant.to.names.first().map(String::as_str),
                roles: &grant.to.roles,
            });
            assert!(access.any().all_of(grant.rights));
        }
    }
    let _ = user_doc::read(text);
    if let Ok(plain) = user_doc::without_password(text) {
        assert!(user_doc::read(&plain).is_none_or(|user| !user.has_password));
    }
});
