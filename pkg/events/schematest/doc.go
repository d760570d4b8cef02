// Package schematest checks the JSON Schemas of the events with an independent validator: against the golden documents, and
// against the rules of the events package. It is a separate module so that the events module needs only the standard
// library. It contains only tests.
package schematest
