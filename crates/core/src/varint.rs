//! Unsigned integers in one to ten bytes (LEB128: seven bits a byte, lowest first, the top bit set on all but the
//! last). Each integer has exactly one spelling.

/// Appends an integer.
pub fn write(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes an integer off the front; `None` when there is none, or it is spelled longer than [`write()`] spells it.
pub fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        value |= bits << shift;
        if byte <= 0x7f {
            let shortest = byte != 0 || shift == 0;
            let fits = (bits << shift) >> shift == bits;
            return (shortest && fits).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_survive() {
        let powers = (0..64).map(|power| 1_u64 << power);
        for value in powers
            .flat_map(|power| [power - 1, power, power + 1])
            .chain([u64::MAX])
        {
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            bytes.push(9);
            let mut rest = bytes.as_slice();
            assert_eq!(read(&mut rest), Some(value));
            assert_eq!(rest, [9]);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let too_large = [0xff; 9].iter().chain(&[0x02]).copied().collect();
        let endless = vec![0xff; 11];
        for bytes in [
            vec![],
            vec![0x80],
            vec![0x80, 0],
            vec![0x85, 0x80, 0],
            too_large,
            endless,
        ] {
            assert_eq!(read(&mut bytes.as_slice()), None, "{bytes:?}");
        }
    }
}
