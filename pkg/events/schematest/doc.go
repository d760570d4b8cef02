// Package schematest holds the JSON Schemas of the events against their golden documents and against the rules of the
// events package, with an independent validator. It is a module of its own so that the events module needs nothing but
// the standard library, and it promises nothing to importers: it has only tests.
package schematest
