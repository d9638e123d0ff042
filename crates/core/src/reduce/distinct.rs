//! `_approx_count_distinct`: how many different keys, within some 2 percent, in two kilobytes (a HyperLogLog).

use crate::collate::Collation;
use md5::{Digest as _, Md5};

/// Bits of a hash that choose a register: CouchDB's number, and with it its error.
const PRECISION: u32 = 11;
const REGISTERS: usize = 1 << PRECISION;
/// Greatest value of a register: all bits that choose none are zero.
const RANK_MAX: u8 = (u64::BITS - PRECISION) as u8 + 1;
/// Bytes of a register that is encoded on its own.
const SPARSE_BYTES: usize = 3;

/// Each register has the longest run of leading zeros of the hashes that chose it, and one more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Distinct(Vec<u8>);

impl Distinct {
    pub(crate) fn new() -> Distinct {
        Distinct(vec![0; REGISTERS])
    }

    /// Adds the key of a row; what is no JSON is not counted.
    pub(crate) fn add(&mut self, key: &str) {
        if let Some(hash) = hash(key) {
            self.add_hash(hash);
        }
    }

    pub(crate) fn add_hash(&mut self, hash: u64) {
        let rest = hash << PRECISION | 1 << (PRECISION - 1);
        self.raise(
            (hash >> (u64::BITS - PRECISION)) as usize,
            rest.leading_zeros() as u8 + 1,
        );
    }

    fn raise(&mut self, register: usize, rank: u8) {
        if let Some(register) = self.0.get_mut(register) {
            *register = rank.max(*register);
        }
    }

    pub(crate) fn merge(&mut self, other: &Distinct) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a = *b.max(a));
    }

    /// Appends all registers, or place and value of those that are not zero when that is shorter.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let set = || (0_u16..).zip(&self.0).filter(|(_, rank)| **rank != 0);
        if set().count() * SPARSE_BYTES >= REGISTERS {
            return out.extend(&self.0);
        }
        for (register, rank) in set() {
            out.extend(register.to_be_bytes());
            out.push(*rank);
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Distinct> {
        let mut distinct = Distinct::new();
        if bytes.len() == REGISTERS {
            distinct.0.copy_from_slice(bytes);
        } else {
            let (pieces, []) = bytes.as_chunks::<SPARSE_BYTES>() else {
                return None;
            };
            for [high, low, rank] in pieces {
                let register = u16::from_be_bytes([*high, *low]).into();
                distinct.0.get(register)?;
                distinct.raise(register, *rank);
            }
        }
        distinct
            .0
            .iter()
            .all(|rank| *rank <= RANK_MAX)
            .then_some(distinct)
    }

    /// How many different keys were added: Ertl's estimator, which needs no correction for few or for many.
    pub(crate) fn estimate(&self) -> u64 {
        let mut counts = [0.0_f64; RANK_MAX as usize + 1];
        for rank in &self.0 {
            if let Some(count) = counts.get_mut(usize::from(*rank)) {
                *count += 1.0;
            }
        }
        let registers = REGISTERS as f64;
        let [zeros, between @ .., full] = counts;
        let mut indicator = registers * tau(1.0 - full / registers);
        for count in between.iter().rev() {
            indicator = 0.5 * (indicator + count);
        }
        indicator += registers * sigma(zeros / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2 * indicator)).round() as u64
    }
}

/// Keys are one and the same when their values are equal, strings byte for byte.
pub(crate) fn hash(key: &str) -> Option<u64> {
    let mut bytes = Vec::new();
    Collation::Raw.sort_key(key, &mut bytes).ok()?;
    let md5: [u8; 16] = Md5::digest(&bytes).into();
    Some(
        md5.iter()
            .take(8)
            .fold(0, |hash, byte| hash << 8 | u64::from(*byte)),
    )
}

/// What the registers that are zero still tell: the sum of `x^(2^k) × 2^(k-1)`, and `x`.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// The same for registers at their greatest value.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}
