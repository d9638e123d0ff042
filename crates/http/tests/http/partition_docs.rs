//! `_all_docs` of a partition.

use crate::partitions::{DOCS, document, partitioned};
use serde_json::{Value, json};

#[tokio::test]
async fn documents_of_a_partition() {
    let server = partitioned().await;
    let ids = |answer: &Value| -> Vec<String> {
        let rows = answer["rows"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap_or("none").to_owned())
            .collect()
    };
    let of = |partition: &str| -> Vec<String> {
        let all = (0..DOCS).map(|n| document(n)["_id"].as_str().unwrap().to_owned());
        all.filter(|id| id.starts_with(&format!("{partition}:")))
            .collect()
    };
    for partition in ["foo", "foo-2", "bar"] {
        let path = format!("/db/_partition/{partition}/_all_docs");
        let answer = server.get(&path).await.json();
        assert_eq!(ids(&answer), of(partition));
        assert_eq!(answer["total_rows"], DOCS);
        let by_option = server.get(&format!("/db/_all_docs?partition={partition}")).await;
        assert_eq!(by_option.json(), answer);
        let down = server
            .get(&format!("{path}?descending=true&limit=3&skip=1"))
            .await
            .json();
        assert_eq!(
            ids(&down),
            of(partition)
                .into_iter()
                .rev()
                .skip(1)
                .take(3)
                .collect::<Vec<_>>()
        );
    }
    let path = "/db/_partition/foo/_all_docs";
    let some = server
        .get(&format!("{path}?startkey=\"a\"&endkey=\"foo:009\""))
        .await
        .json();
    assert_eq!(ids(&some), ["foo:000", "foo:003", "foo:006", "foo:009"]);
    let keys = json!({ "keys": ["foo:003", "bar:002"] });
    let by_key = server.post(path, keys).await.json();
    assert_eq!(ids(&by_key), ["foo:003", "none"]);
    assert_eq!(by_key["rows"][1]["error"], "not_found");
    let queries = json!({ "queries": [{ "limit": 1 }, { "key": "foo:006" }] });
    let both = server.post(&format!("{path}/queries"), queries).await.json();
    assert_eq!(ids(&both["results"][0]), ["foo:000"]);
    assert_eq!(ids(&both["results"][1]), ["foo:006"]);
}
