// Put around the built-ins that go through long strings and arrays without a look at the clock: each says first how much
// it is about to do, and is refused when the time is up, or when it alone would take too long. Evaluated once in every
// realm, that of the documents included, before anything else is.
(function (spend) {
  'use strict';
  const {apply} = Reflect;
  const {isArray} = Array;
  const {defineProperty} = Object;
  const {floor, log2, max, min, trunc} = Math;
  const {includes, indexOf, slice} = String.prototype;
  const Pattern = globalThis.RegExp ?? function () {};

  // So little that it is not worth being told.
  const little = 4096;
  // Longer arrays do not fit in memory; what is longer has holes, or is no array.
  const lengthMax = 2 ** 24;

  function replace(owner, name, guarded) {
    defineProperty(guarded, 'length', {value: owner[name].length, configurable: true});
    defineProperty(owner, name, {value: guarded, writable: true, configurable: true, enumerable: false});
  }

  function guard(owner, names, cost) {
    for (const name of names.split(' ')) {
      const original = owner[name];
      const {[name]: guarded} = {
        [name](...args) {
          const units = cost(this, args, name);
          if (units > little) spend(units);
          return apply(original, this, args);
        },
      };
      replace(owner, name, guarded);
    }
  }

  function length(text) {
    return typeof text === 'string' ? text.length : text === null || typeof text !== 'object' ? 32 : `${text}`.length;
  }

  // The engine compares at every place where the first character fits.
  function searching(self, args) {
    const pattern = args[0];
    const all = length(self);
    if (pattern instanceof Pattern) return all;
    const part = length(pattern);
    return part > all ? 0 : part <= 1 ? all : (all - part + 1) * part;
  }

  // The same, piece by piece when it is much.
  function find(self, args) {
    const pieceMax = 2e7;
    if (searching(self, args) <= pieceMax) return apply(indexOf, self, args);
    const all = `${self}`;
    const part = `${args[0]}`;
    const step = max(1, floor(pieceMax / part.length));
    for (let at = min(max(trunc(args[1]) || 0, 0), all.length); at + part.length <= all.length; at += step) {
      spend(step * part.length);
      const found = apply(indexOf, apply(slice, all, [at, at + step + part.length - 1]), [part]);
      if (found >= 0) return at + found;
    }
    return -1;
  }

  function tooLong(name) {
    return new RangeError(`Array.prototype.${name}: the array is too long`);
  }

  // Of arrays of strings, as long as the longest of them makes it.
  function sorting(self, args, name) {
    const count = self.length;
    if (count > lengthMax) throw tooLong(name);
    if (!(count > 100) || args[0] !== undefined) return count;
    let longest = 64;
    for (let i = 0; i < count; i++) {
      const element = self[i];
      if (typeof element === 'string') {
        if (element.length > longest) longest = element.length;
      } else if (typeof element === 'object' && element !== null) {
        args[0] = compare;
        return count;
      }
    }
    return count * log2(count) * longest / 16;
  }

  function compare(a, b) {
    a = `${a}`;
    b = `${b}`;
    return a < b ? -1 : a > b ? 1 : 0;
  }

  const text = String.prototype;
  const {indexOf: foundAt, includes: isIn} = {
    indexOf(...args) {
      return find(this, args);
    },
    includes(...args) {
      // It refuses patterns itself.
      return args[0] instanceof Pattern ? apply(includes, this, args) : find(this, args) >= 0;
    },
  };
  replace(text, 'indexOf', foundAt);
  replace(text, 'includes', isIn);
  guard(text, 'lastIndexOf replace replaceAll split', searching);
  guard(text, 'isWellFormed localeCompare match matchAll normalize search toLocaleLowerCase toLocaleUpperCase ' +
    'toLowerCase toUpperCase toWellFormed trim trimEnd trimLeft trimRight trimStart', length);
  guard(text, 'repeat', (self, args) => length(self) * args[0]);
  guard(text, 'padEnd padStart', (self, args) => args[0]);
  guard(globalThis, 'decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape',
    (self, args) => length(args[0]));
  guard(JSON, 'parse', (self, args) => length(args[0]) * 2);

  const list = Array.prototype;
  guard(list, 'concat copyWithin fill flat join reverse shift slice splice toReversed toSpliced unshift with',
    (self, args, name) => {
      const count = self.length;
      if (count > lengthMax) throw tooLong(name);
      if (name === 'concat') {
        for (let i = 0; i < args.length; i++) if (args[i]?.length > lengthMax) throw tooLong(name);
      }
      return count;
    });
  guard(list, 'includes indexOf lastIndexOf', (self, args, name) => {
    const count = self.length;
    if (count > lengthMax && name === 'lastIndexOf') throw tooLong(name);
    return typeof args[0] === 'string' ? count * (1 + args[0].length / 16) : 0;
  });
  guard(list, 'sort toSorted', sorting);
  guard(Array, 'from', (self, args) => {
    if (args[0]?.length > lengthMax) throw tooLong('from');
    return 0;
  });
  guard(String, 'raw', (self, args) => {
    if (args[0]?.raw?.length > lengthMax) throw tooLong('raw');
    return 0;
  });
})
