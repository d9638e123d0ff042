//! A line of design document, then a query: which index it makes, and how its Mango indexes would answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::selector::Selector;
use trunkline_query::design::Design;
use trunkline_query::mango::{Catalog, Plan, Shown, Source, Wanted};
use trunkline_wire::{design_doc, find};

fuzz_target!(|text: &str| {
    let (body, query) = text.split_once('\n').unwrap_or((text, "{}"));
    if let Ok(document) = design_doc::parse(body) {
        let design = Design::new(&document);
        assert!(design.maps.len() <= document.views.len());
        assert_eq!(design.views.len(), document.views.len());
        for (name, view) in &design.views {
            let map = &design.maps[usize::from(view.number)];
            assert_eq!(map.source, document.views[name].map);
            let reduce = view.reduce.map(|reduce| &map.reduces[reduce]);
            assert_eq!(reduce, document.views[name].reduce.as_ref());
        }
        assert_eq!(design.signature.to_string().len(), 32);
    }
    let mut catalog = Catalog::default();
    catalog.add("x", body);
    let Ok(request) = find::parse(query.as_bytes()) else {
        return;
    };
    let Ok(selector) = Selector::parse(&request.selector) else {
        return;
    };
    let wanted = Wanted {
        selector: &selector,
        sort: &request.sort,
        fields: &request.fields,
        use_index: &request.use_index,
        allow_fallback: request.allow_fallback,
        partition: None,
    };
    if let Ok(plan) = Plan::new(&catalog, &wanted)
        && let Source::Index { index, places, .. } = &plan.source
    {
        let of_view = trunkline_query::index::whole(index.view);
        assert!(plan.nothing || places.start >= of_view.start && places.end <= of_view.end);
    }
    let _ = Shown::new(&request.fields, request.conflicts);
});
