//! The documents that are measured with: call detail records of about 350 bytes, made from their number alone, so that
//! every run and every side of a comparison writes the same bytes.

use std::io::Write;

/// How ids follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Each higher than the one before, as time-ordered ids are.
    Sequential,
    /// In no order, as SIP Call-IDs are.
    Random,
}

/// One record: its id and its body, JSON text without `_id`.
#[derive(Clone, Debug)]
pub(crate) struct Cdr {
    pub(crate) id: String,
    pub(crate) body: String,
}

impl Cdr {
    /// The record of that number.
    pub(crate) fn new(ids: Ids, number: u64) -> Cdr {
        let mut body = Vec::with_capacity(360);
        write_body(number, &mut body);
        Cdr {
            id: id(ids, number),
            body: String::from_utf8(body).unwrap_or_default(),
        }
    }

    /// The records of these numbers.
    pub(crate) fn range(ids: Ids, numbers: std::ops::Range<u64>) -> Vec<Cdr> {
        numbers.map(|number| Cdr::new(ids, number)).collect()
    }
}

/// The id of that number's record.
pub(crate) fn id(ids: Ids, number: u64) -> String {
    match ids {
        Ids::Sequential => format!("202611-{number:012}"),
        Ids::Random => format!("{:016x}{:04x}", scatter(number), number & 0xffff),
    }
}

/// Appends the body of that number's record.
pub(crate) fn write_body(number: u64, out: &mut Vec<u8>) {
    let noise = scatter(number ^ 0x5eed);
    let (from, to) = (noise % 10_000_000, (noise >> 24) % 10_000_000);
    let (seconds, start) = ((noise >> 48) % 3600, 1_795_000_000 + number / 50);
    let account = noise % 997;
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        concat!(
            r#"{{"pvt_type":"cdr","call_id":"{noise:016x}@10.1.{octet}.7","from_user":"+1415{from:07}","#,
            r#""to_user":"+1212{to:07}","request":"sip:+1212{to:07}@sip.example.com","#,
            r#""start_time":{start},"answer_time":{start}.25,"duration_seconds":{seconds},"#,
            r#""hangup_cause":"NORMAL_CLEARING","account_id":"acct-{account:04}","#,
            r#""user_agent":"Example Phone 7.2","node":"edge-03","codec":"PCMU","cost":{cost}.{cents:02}}}"#,
        ),
        noise = noise,
        octet = noise % 250,
        from = from,
        to = to,
        start = start,
        seconds = seconds,
        account = account,
        cost = seconds / 60,
        cents = seconds % 60,
    );
}

/// Appends the whole record as one JSON document.
pub(crate) fn write_document(ids: Ids, number: u64, out: &mut Vec<u8>) {
    let _ = write!(out, r#"{{"_id":"{}","#, id(ids, number));
    let start = out.len();
    write_body(number, out);
    // The body's own opening brace goes: the id is its first member.
    out.remove(start);
}

/// A number that looks random and is not (splitmix64).
pub(crate) fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_json_of_about_350_bytes() {
        for number in [0, 1, 99_999, 1 << 40] {
            let cdr = Cdr::new(Ids::Random, number);
            let bytes = cdr.id.len() + cdr.body.len();
            assert!((320..=400).contains(&bytes), "{bytes} bytes");
            assert!(cdr.body.parse::<serde_json::Value>().unwrap().is_object());
            let mut document = Vec::new();
            write_document(Ids::Sequential, number, &mut document);
            let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
            assert_eq!(document["_id"], id(Ids::Sequential, number));
            assert_eq!(document["pvt_type"], "cdr");
        }
    }

    #[test]
    fn sequential_ids_ascend_and_random_ones_do_not_repeat() {
        let sequential: Vec<String> = (0..1000).map(|n| id(Ids::Sequential, n)).collect();
        assert!(sequential.is_sorted());
        let random: std::collections::BTreeSet<String> = (0..100_000).map(|n| id(Ids::Random, n)).collect();
        assert_eq!(random.len(), 100_000);
    }
}
