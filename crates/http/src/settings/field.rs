//! How typed settings become values of the table, and come from them.

use super::Value;
use crate::config::{Prf, SameSite, Secret, TlsVersion};
use std::path::PathBuf;

/// A type of a setting. What is read is of the kind that its key names.
pub(super) trait Field: Sized {
    /// As a value; `None` when it is not set.
    fn show(&self) -> Option<Value>;
    /// From a value; `None` when it is of another kind.
    fn of(value: Value) -> Option<Self>;
}

impl Field for bool {
    fn show(&self) -> Option<Value> {
        Some(Value::Switch(*self))
    }
    fn of(value: Value) -> Option<bool> {
        match value {
            Value::Switch(switch) => Some(switch),
            _ => None,
        }
    }
}

impl Field for u64 {
    fn show(&self) -> Option<Value> {
        Some(Value::Number(*self))
    }
    fn of(value: Value) -> Option<u64> {
        match value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl Field for u32 {
    fn show(&self) -> Option<Value> {
        Some(Value::Number(u64::from(*self)))
    }
    fn of(value: Value) -> Option<u32> {
        u64::of(value)?.try_into().ok()
    }
}

impl Field for usize {
    fn show(&self) -> Option<Value> {
        u64::try_from(*self).ok().map(Value::Number)
    }
    fn of(value: Value) -> Option<usize> {
        u64::of(value)?.try_into().ok()
    }
}

impl Field for String {
    fn show(&self) -> Option<Value> {
        Some(Value::Text(self.clone()))
    }
    fn of(value: Value) -> Option<String> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// An empty one is none.
impl Field for Secret {
    fn show(&self) -> Option<Value> {
        let text = self.reveal();
        (!text.is_empty()).then(|| Value::Text(text.to_owned()))
    }
    fn of(value: Value) -> Option<Secret> {
        String::of(value).map(Secret::new)
    }
}

impl Field for PathBuf {
    fn show(&self) -> Option<Value> {
        Some(Value::Text(self.to_string_lossy().into_owned()))
    }
    fn of(value: Value) -> Option<PathBuf> {
        String::of(value).map(PathBuf::from)
    }
}

impl<T: Field> Field for Option<T> {
    fn show(&self) -> Option<Value> {
        self.as_ref().and_then(T::show)
    }
    fn of(value: Value) -> Option<Option<T>> {
        T::of(value).map(Some)
    }
}

impl Field for Vec<String> {
    fn show(&self) -> Option<Value> {
        Some(Value::List(self.clone()))
    }
    fn of(value: Value) -> Option<Vec<String>> {
        match value {
            Value::List(texts) => Some(texts),
            _ => None,
        }
    }
}

impl Field for Vec<Secret> {
    fn show(&self) -> Option<Value> {
        let texts = self.iter().map(|secret| secret.reveal().to_owned());
        Some(Value::List(texts.collect()))
    }
    fn of(value: Value) -> Option<Vec<Secret>> {
        Vec::<String>::of(value).map(|texts| texts.into_iter().map(Secret::new).collect())
    }
}

/// Types with a few values: each by its name.
macro_rules! named {
    ($type:ty, $names:ident, $($name:literal => $value:path),+) => {
        /// Its names.
        pub(super) const $names: &[&str] = &[$($name),+];
        impl Field for $type {
            fn show(&self) -> Option<Value> {
                let name = match self { $($value => $name),+ };
                Some(Value::Text(name.to_owned()))
            }
            fn of(value: Value) -> Option<$type> {
                match String::of(value)?.as_str() {
                    $($name => Some($value),)+
                    _ => None,
                }
            }
        }
    };
}

named!(Prf, PRFS, "sha256" => Prf::Sha256, "sha" => Prf::Sha1);
named!(SameSite, SAME_SITES, "strict" => SameSite::Strict, "lax" => SameSite::Lax, "none" => SameSite::None);
named!(TlsVersion, TLS_VERSIONS, "1.2" => TlsVersion::V12, "1.3" => TlsVersion::V13);
