//! The bytes of a revision tree: no bytes do harm, and those that are taken survive every operation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::{EncodedTree, RevTree};

fuzz_target!(|bytes: &[u8]| {
    let encoded = EncodedTree::new(bytes);
    if let Ok(encoded) = encoded {
        // The rest of the bytes may be anything; the first branch is usable all the same.
        let path = encoded.winner_path();
        assert_eq!(path.rev(), Some(encoded.winner().0));
        if let Some(newer) = path.generation.checked_add(1) {
            let child = Rev {
                generation: newer,
                digest: [1; 16].into(),
            };
            let mut out = Vec::new();
            let extended = encoded.extend(&child, encoded.winner().1, 3, &mut out);
            assert_eq!(extended.is_some(), encoded.is_linear());
            assert_eq!(
                extended.is_some(),
                RevTree::decode(&out).is_ok_and(|tree| tree.contains(&child))
            );
        }
    }
    let Ok(mut tree) = RevTree::decode(bytes) else {
        return;
    };
    let winner = encoded.ok().map(|encoded| encoded.winner());
    assert_eq!(tree.winner().map(|(rev, state)| (rev.clone(), state)), winner);
    let mut again = Vec::new();
    tree.encode(&mut again);
    assert_eq!(RevTree::decode(&again).as_ref(), Ok(&tree));

    let leaves: Vec<Rev> = tree.leaves().into_iter().map(|(leaf, _)| leaf.clone()).collect();
    tree.stem(2);
    assert!(leaves.iter().all(|leaf| tree.leaf(leaf).is_some()));
    assert_eq!(tree.purge(&leaves).len(), leaves.len());
    assert!(tree.is_empty());
});
