//! Call detail records: about 350 bytes of JSON, as a telephony node writes them.

use rand::Rng;

/// The body of one record. `number` makes it different from every other.
pub fn call(rng: &mut impl Rng, number: u64) -> String {
    let from: u64 = rng.random_range(4_930_000_000..4_930_999_999_999);
    let to: u64 = rng.random_range(4_989_000_000..4_989_999_999_999);
    let seconds: u32 = rng.random_range(0..3600);
    let cause = rng.random_range(16..32);
    format!(
        concat!(
            r#"{{"type":"cdr","call_id":"{:016x}-{:08x}@pbx-17.example.net","account":"acc{:05}","#,
            r#""from":"+{}","to":"+{}","direction":"outbound","started":"2026-08-14T09:{:02}:{:02}.{:03}Z","#,
            r#""duration_s":{},"billed_s":{},"cause":{},"codec":"PCMA","gateway":"gw-{}","#,
            r#""mos":{:.2},"cost":{:.4},"currency":"EUR","number":{}}}"#
        ),
        rng.random::<u64>(),
        rng.random::<u32>(),
        rng.random_range(0..500),
        from,
        to,
        rng.random_range(0..60),
        rng.random_range(0..60),
        rng.random_range(0..1000),
        seconds,
        seconds.next_multiple_of(6),
        cause,
        rng.random_range(1..9),
        rng.random_range(1.0..4.5),
        f64::from(seconds) * 0.0003,
        number,
    )
}

/// A random id of 32 hexadecimal digits.
pub fn random_id(rng: &mut impl Rng) -> String {
    format!("{:032x}", rng.random::<u128>())
}
