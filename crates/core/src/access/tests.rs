//! Every small world: two names, two roles, each group and each grant with or without them.

use super::*;

fn group(bits: u8) -> Group {
    let take = |shift: u8, texts: [&str; 2]| {
        let texts = texts.iter().enumerate();
        let taken = texts.filter(|(place, _)| bits >> (shift + *place as u8) & 1 == 1);
        taken.map(|(_, text)| (*text).to_owned()).collect()
    };
    Group {
        names: take(0, ["anna", "ben"]),
        roles: take(2, ["clerk", "node"]),
    }
}

/// By the words of the documentation, one sentence after the other.
fn expected(security: &Security, name: Option<&str>, roles: &[String]) -> (Rights, Vec<Rights>) {
    let in_group = |group: &Group| {
        name.is_some_and(|name| group.names.contains(&name.to_owned()))
            || group.roles.iter().any(|role| roles.contains(role))
    };
    if roles.contains(&"_admin".to_owned()) || in_group(&security.admins) {
        return (Rights::ALL, vec![]);
    }
    let mut whole = Rights::NONE;
    if in_group(&security.members) || (security.members.is_empty() && security.grants.is_none()) {
        whole = Rights::MEMBER;
    }
    for grant in security.grants.iter().flatten() {
        if in_group(&grant.to) && grant.only.is_none() {
            whole = whole | grant.rights;
        }
    }
    let mut parts = vec![];
    for grant in security.grants.iter().flatten() {
        if in_group(&grant.to) && grant.only.is_some() && (grant.rights & whole) != grant.rights {
            parts.push(grant.rights);
        }
    }
    (whole, parts)
}

#[test]
fn every_small_world() {
    let selector = Arc::new(Selector::parse(r#"{"account":"acme"}"#).unwrap());
    let grants = |bits: u8| -> Option<Vec<Grant>> {
        let rights = [Rights::READ, Rights::WRITE | Rights::REPLICATE_OUT];
        let selector = &selector;
        let grants = |bits: u8| {
            (0..2).map(move |place| Grant {
                to: group(if place == 0 { bits } else { bits >> 2 }),
                rights: rights[place],
                only: (place == 1).then(|| Only::Selector(selector.clone())),
            })
        };
        match bits {
            0 => None,
            16 => Some(vec![]),
            _ => Some(grants(bits).collect()),
        }
    };
    let askers = [None, Some("anna"), Some("ben"), Some("carl")];
    let roles: [&[&str]; 5] = [&[], &["clerk"], &["node"], &["clerk", "node"], &["_admin"]];
    let mut worlds = 0;
    for admins in 0..16 {
        for members in 0..16 {
            for granted in 0..17 {
                let security = Security {
                    admins: group(admins),
                    members: group(members),
                    grants: grants(granted),
                };
                for name in askers {
                    for roles in roles {
                        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
                        let access = security.access(Identity { name, roles: &roles });
                        let (whole, parts) = expected(&security, name, &roles);
                        assert_eq!(access.whole, whole, "{security:?} {name:?} {roles:?}");
                        let rights: Vec<Rights> = access.parts.iter().map(|(rights, _)| *rights).collect();
                        assert_eq!(rights, parts, "{security:?} {name:?} {roles:?}");
                        worlds += 1;
                    }
                }
            }
        }
    }
    assert_eq!(worlds, 16 * 16 * 17 * 20);
}

#[test]
fn closed_is_for_server_administrators() {
    let closed = Security::closed();
    let roles = ["clerk".to_owned()];
    let access = |name, roles| closed.access(Identity { name, roles }).any();
    assert_eq!(access(Some("anna"), &roles), Rights::NONE);
    assert_eq!(access(None, &[]), Rights::NONE);
    assert_eq!(access(None, &["_admin".to_owned()]), Rights::ALL);
}

#[test]
fn rights_are_told_by_name() {
    assert_eq!(
        (Rights::READ | Rights::REPLICATE_OUT).to_string(),
        "read or replicate-out"
    );
    assert_eq!(Rights::NONE.to_string(), "");
}
