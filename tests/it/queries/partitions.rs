//! Questions about one partition.

use super::{all, ids, open, put_design};
use serde_json::{Value, json};
use trunkline::{Error, Views};

#[test]
fn views_and_selectors_answer_for_a_partition() {
    let (_temp, store, _) = open();
    let db = store.create_partitioned("parts").unwrap();
    put_design(&db);
    let native = Views::new("native", 1).view("all", |_, emit| emit.row(&(), &()));
    store.define(native).unwrap();
    for (id, account) in [("a:1", "x"), ("a:2", "y"), ("b:1", "x")] {
        let call = json!({"account": account, "n": 1, "seconds": 10});
        db.put(id, &call).unwrap();
    }
    let view = || db.view("billing", "by_account");
    assert_eq!(view().partition("a").reduced::<u64>().unwrap(), Some(20));
    assert_eq!(view().partition("b").count().unwrap(), 1);
    assert!(matches!(view().count(), Err(Error::Invalid(_))));
    // Those of a program are of all partitions.
    assert_eq!(db.view("native", "all").count().unwrap(), 3);
    assert!(matches!(
        db.view("native", "all").partition("a").count(),
        Err(Error::Invalid(_))
    ));

    let wanted = json!({"account": "x"});
    for _ in 0..2 {
        let found = all(db.find(&wanted).partition("a").docs::<Value>());
        assert_eq!(ids(&found), ["a:1"]);
        assert_eq!(db.find(&wanted).count().unwrap(), 2);
        let index = db.create_index("by-account", &["account"]).unwrap();
        assert_eq!(db.find(&wanted).partition("a").index().unwrap(), Some(index));
        assert_eq!(db.find(&wanted).index().unwrap(), None, "it is by partition");
    }
}
