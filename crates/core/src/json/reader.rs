//! A place in a JSON text, and the steps one can take from it.

use super::JsonError;
use super::number::number_length;
use super::text::{copy_string, string_length, unescape};
use crate::limits::JSON_DEPTH_MAX;
use std::borrow::Cow;

/// Reads a JSON text value by value, front to back, checking every byte it passes. Each method takes one value; a
/// callback that is given the reader may take the value it stands at, and if it does not, the value is passed over.
/// After an error the reader's place is of no use.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    depth: usize,
}

/// What a pass over values may want to know of them. Offsets are into the reader's text.
pub(super) trait Observer<'a> {
    /// There is white space between two offsets.
    fn white_space(&mut self, from: usize, to: usize);
    /// An object starts; what is answered comes back when it ends.
    fn object_start(&mut self) -> usize;
    /// An object has a key; what stands between its quotes.
    fn key(&mut self, inside: &'a str);
    /// The object ended.
    fn object_end(&mut self, start: usize);
}

/// Wants to know nothing.
pub(super) struct Blind;

impl<'a> Observer<'a> for Blind {
    fn white_space(&mut self, _from: usize, _to: usize) {}
    fn object_start(&mut self) -> usize {
        0
    }
    fn key(&mut self, _inside: &'a str) {}
    fn object_end(&mut self, _start: usize) {}
}

impl<'a> Reader<'a> {
    /// Stands at the start of `text`.
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// Where it stands in its text.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Passes over white space; answers the byte that the next value starts with.
    pub fn peek(&mut self) -> Option<u8> {
        self.white_space(&mut Blind);
        self.byte()
    }

    /// Takes a value; answers its text as it stands.
    pub fn raw(&mut self) -> Result<&'a str, JsonError> {
        self.white_space(&mut Blind);
        let from = self.at;
        self.value(&mut Blind)?;
        self.between(from, self.at)
    }

    /// Takes an object; calls `member` at each value, with its key.
    pub fn members<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(Cow<'a, str>, &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.raw_members(|key, reader| member(unescape(key), reader))
    }

    /// Like [`Reader::members`], with keys as they stand between their quotes.
    pub(crate) fn raw_members<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&'a str, &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.open(b'{', b'}', "object")? {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            let from = self.at;
            member(key, self)?;
            if self.at == from {
                self.value(&mut Blind)?;
            }
            if !self.next(b'}')? {
                return Ok(());
            }
        }
    }

    /// Takes an array; calls `element` at each value.
    pub fn elements<E: From<JsonError>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.open(b'[', b']', "array")? {
            return Ok(());
        }
        loop {
            let from = self.at;
            element(self)?;
            if self.at == from {
                self.value(&mut Blind)?;
            }
            if !self.next(b']')? {
                return Ok(());
            }
        }
    }

    /// Checks that only white space is left.
    pub fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.syntax(),
        }
    }

    /// Steps into an array or object; answers whether it has anything in it.
    pub(crate) fn open(&mut self, open: u8, close: u8, kind: &'static str) -> Result<bool, JsonError> {
        if self.peek() != Some(open) {
            self.value(&mut Blind)?;
            return Err(JsonError::Expected(kind));
        }
        self.at += 1;
        self.deeper()?;
        if self.peek() == Some(close) {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Steps over a comma, or out of the array or object; answers whether it was a comma.
    pub(crate) fn next(&mut self, close: u8) -> Result<bool, JsonError> {
        let byte = self.peek();
        self.at += 1;
        match byte {
            Some(b',') => {
                self.white_space(&mut Blind);
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(JsonError::Syntax(self.at - 1)),
        }
    }

    /// Takes the value that starts right here.
    pub(super) fn value<O: Observer<'a>>(&mut self, observer: &mut O) -> Result<(), JsonError> {
        match self.byte() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => {
                let number = self.text.get(self.at..).unwrap_or_default();
                self.at += number_length(number).map_err(|error| self.shift(error))?;
                Ok(())
            }
            Some(b'{') => self.object(observer),
            Some(b'[') => self.array(observer),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.syntax(),
        }
    }

    fn object<O: Observer<'a>>(&mut self, observer: &mut O) -> Result<(), JsonError> {
        self.deeper()?;
        self.at += 1;
        self.white_space(observer);
        if self.byte() == Some(b'}') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        let start = observer.object_start();
        loop {
            let key = self.observed_key(observer)?;
            observer.key(key);
            self.value(observer)?;
            self.white_space(observer);
            let byte = self.byte();
            self.at += 1;
            match byte {
                Some(b',') => self.white_space(observer),
                Some(b'}') => break,
                _ => return Err(JsonError::Syntax(self.at - 1)),
            }
        }
        observer.object_end(start);
        self.depth -= 1;
        Ok(())
    }

    fn array<O: Observer<'a>>(&mut self, observer: &mut O) -> Result<(), JsonError> {
        self.deeper()?;
        self.at += 1;
        self.white_space(observer);
        if self.byte() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.value(observer)?;
            self.white_space(observer);
            let byte = self.byte();
            self.at += 1;
            match byte {
                Some(b',') => self.white_space(observer),
                Some(b']') => break,
                _ => return Err(JsonError::Syntax(self.at - 1)),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Takes a key with its colon and the white space behind it; answers what stands between its quotes.
    pub(crate) fn key(&mut self) -> Result<&'a str, JsonError> {
        self.observed_key(&mut Blind)
    }

    pub(super) fn observed_key<O: Observer<'a>>(&mut self, observer: &mut O) -> Result<&'a str, JsonError> {
        let key = self.string()?;
        self.colon(observer)?;
        Ok(key)
    }

    /// Takes a key with its colon and the white space behind it; appends what it spells.
    pub(crate) fn copy_key(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        self.copy_string(out)?;
        self.colon(&mut Blind)
    }

    /// Takes the string whose opening quote is here; appends what it spells.
    pub(crate) fn copy_string(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let rest = self.quoted()?;
        self.at += copy_string(rest, out).map_err(|error| self.shift(error))?;
        Ok(())
    }

    fn colon<O: Observer<'a>>(&mut self, observer: &mut O) -> Result<(), JsonError> {
        self.white_space(observer);
        if self.byte() != Some(b':') {
            return self.syntax();
        }
        self.at += 1;
        self.white_space(observer);
        Ok(())
    }

    /// Steps over the opening quote that must be here; answers the bytes behind it.
    fn quoted(&mut self) -> Result<&'a [u8], JsonError> {
        if self.byte() != Some(b'"') {
            return self.syntax();
        }
        self.at += 1;
        Ok(self.text.as_bytes().get(self.at..).unwrap_or_default())
    }

    /// Takes the string whose opening quote must be here; answers what stands between its quotes.
    pub(crate) fn string(&mut self) -> Result<&'a str, JsonError> {
        let rest = self.quoted()?;
        let from = self.at;
        self.at += string_length(rest).map_err(|error| self.shift(error))?;
        self.between(from, self.at - 1)
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), JsonError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(literal) {
            return self.syntax();
        }
        self.at += literal.len();
        Ok(())
    }

    #[inline]
    pub(super) fn white_space<O: Observer<'a>>(&mut self, observer: &mut O) {
        let from = self.at;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        if self.at != from {
            observer.white_space(from, self.at);
        }
    }

    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn between(&self, from: usize, to: usize) -> Result<&'a str, JsonError> {
        self.text.get(from..to).ok_or(JsonError::Syntax(from))
    }

    pub(super) fn deeper(&mut self) -> Result<(), JsonError> {
        self.depth += 1;
        if self.depth > JSON_DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        Ok(())
    }

    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn syntax<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.at))
    }

    fn shift(&self, error: JsonError) -> JsonError {
        match error {
            JsonError::Syntax(offset) => JsonError::Syntax(self.at + offset),
            other => other,
        }
    }
}
