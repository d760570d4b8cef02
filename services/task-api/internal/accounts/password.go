package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Parameters of argon2id: 19 MiB, t=2, p=1. OWASP's Password Storage Cheat Sheet lists several equally strong sets; this is the
// one with two passes. A hash takes about 25 ms on one processor.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltBytes    = 16 // RFC 9106 recommends 128 bits
	hashBytes    = 32
)

// maxHashing bounds the concurrent hashes on large machines: 8 × 19 MiB.
const maxHashing = 8

// Hasher hashes and checks passwords. Safe for concurrent use.
type Hasher struct {
	queue *queue
	decoy string       // the hash of a random text, checked if there is no account
	runs  atomic.Int64 // runs of argon2id, which take most of the time of a log-in
}

// NewHasher returns a hasher. It hashes once.
func NewHasher() (*Hasher, error) {
	h := &Hasher{queue: newQueue(min(runtime.GOMAXPROCS(0), maxHashing), time.Now)}
	var err error
	h.decoy, err = h.Hash(context.Background(), Turn{}, rand.Text())
	return h, err
}

// Turn returns the place in the queue of a request from an address. The request counts for the address from now on. known says
// whether the account was used from there before.
func (h *Hasher) Turn(address string, known bool) Turn { return h.queue.turn(address, known) }

// Hash returns the PHC string of a password, with a new salt. The error is ErrBusy or the context's.
func (h *Hasher) Hash(ctx context.Context, t Turn, password string) (string, error) {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	release, err := h.queue.acquire(ctx, t)
	if err != nil {
		return "", err
	}
	defer release()
	h.runs.Add(1)
	key := argon2.IDKey(normal(password), salt, argonTime, argonMemory, argonThreads, hashBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// Check reports whether the password matches the hash. An empty hash means that there is no account: Check then takes the same
// time and returns false.
func (h *Hasher) Check(ctx context.Context, t Turn, hash, password string) (bool, error) {
	exists := hash != ""
	if !exists {
		hash = h.decoy
	}
	var version, memory, passes int
	var threads uint8
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || fields[1] != "argon2id" {
		return false, errors.New("check password: the stored hash is not argon2id")
	}
	if _, err := fmt.Sscanf(fields[2]+" "+fields[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &threads); err != nil {
		return false, fmt.Errorf("check password: read the parameters of the stored hash: %w", err)
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(fields[4])
	want, err2 := base64.RawStdEncoding.DecodeString(fields[5])
	if err := errors.Join(err1, err2); err != nil || version != argon2.Version {
		return false, fmt.Errorf("check password: read the stored hash of version %d: %w", version, err)
	}
	release, err := h.queue.acquire(ctx, t)
	if err != nil {
		return false, err
	}
	defer release()
	h.runs.Add(1)
	got := argon2.IDKey(normal(password), salt, uint32(passes), uint32(memory), threads, uint32(len(want))) // the parameters are from our own database
	return subtle.ConstantTimeCompare(got, want) == 1 && exists, nil
}

// normal returns the same bytes for the same password from different keyboards (RFC 8265, OpaqueString).
func normal(password string) []byte { return norm.NFC.Bytes([]byte(password)) }
