package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// This file has the text of a personal API token: the prefix, by which scanners for leaked secrets find it, 256 random
// bits, and a CRC-32 of them, by which a wrong copy is refused without a look-up.

const (
	personalBytes = 32
	// personalLength is the length of the text: 36 bytes in base64 without padding, after the prefix.
	personalLength = len(PersonalPrefix) + (personalBytes+crc32.Size)*8/6
)

// NewPersonalToken returns a new token. Its text is shown once; what is stored is HashOf(text).
func NewPersonalToken() string {
	raw := make([]byte, personalBytes, personalBytes+crc32.Size)
	_, _ = rand.Read(raw) // it never returns an error
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return PersonalPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// HashOf returns the stored form of a personal API token. The token has 256 random bits, so a plain hash is enough.
func HashOf(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// wellFormed reports whether a text can be a personal API token.
func wellFormed(token string) bool {
	text, ok := strings.CutPrefix(token, PersonalPrefix)
	if !ok || len(token) != personalLength {
		return false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return false
	}
	random, sum := raw[:personalBytes], raw[personalBytes:]
	return binary.BigEndian.Uint32(sum) == crc32.ChecksumIEEE(random)
}
