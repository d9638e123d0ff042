//! Checksums: what a disk has changed is found before it is taken for an answer.
//!
//! redb checks its pages only after a crash. So each value of an index ends in a checksum of its key and of itself.

use super::Malformed;

const SEAL_BYTES: usize = 4;

fn checksum(key: &[u8], value: &[u8]) -> [u8; SEAL_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_be_bytes()
}

/// Appends the checksum of a value that is stored under `key`.
pub(super) fn seal(key: &[u8], value: &mut Vec<u8>) {
    let seal = checksum(key, value);
    value.extend(seal);
}

/// The value without it, if it is as it was written.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Malformed> {
    match sealed.split_last_chunk() {
        Some((value, seal)) if *seal == checksum(key, value) => Ok(value),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_bit_is_found() {
        let (key, mut value) = (b"key".to_vec(), b"value".to_vec());
        seal(&key, &mut value);
        assert_eq!(unseal(&key, &value), Ok(b"value".as_slice()));
        for bit in 0..8 * value.len() {
            let mut other = value.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(&key, &other), Err(Malformed), "bit {bit}");
        }
        assert_eq!(unseal(b"kex", &value), Err(Malformed));
        assert_eq!(unseal(b"", b"abc"), Err(Malformed));
    }
}
