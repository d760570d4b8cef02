// How a Kafka gets the users and their rights.

package kafkausers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// scramIterations is the least that Kafka accepts. More would slow down an attack on weak passwords; ours have 256 random bits.
const scramIterations = 4096

// ErrRefused is wrapped where Kafka does not let the administrator create users or rights.
var ErrRefused = errors.New("this user may not create users and rights in Kafka")

// Ensure sets the password of each user of All, by its name, and calls Grant. client is logged in as an administrator of the
// Kafka. It may run again at any time: an open connection stays open, also with a changed password.
func Ensure(ctx context.Context, client *kgo.Client, passwords map[string]string) error {
	if err := setPasswords(ctx, client, passwords); err != nil {
		return fmt.Errorf("create the users of Kafka: %w", err)
	}
	return Grant(ctx, client)
}

func setPasswords(ctx context.Context, client *kgo.Client, passwords map[string]string) error {
	var upserts []kadm.UpsertSCRAM
	for _, u := range All() {
		password := passwords[u.Name]
		if password == "" {
			return fmt.Errorf("there is no password for %s", u.Name)
		}
		upserts = append(upserts, kadm.UpsertSCRAM{User: u.Name, Mechanism: kadm.ScramSha512, Iterations: scramIterations, Password: password})
	}
	altered, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, upserts)
	if err != nil {
		return refused(err)
	}
	return refused(altered.Error())
}

// Grant makes the rights of the users of All exactly those of that list. The rights of other users of the same Kafka stay as
// they are.
func Grant(ctx context.Context, client *kgo.Client) error {
	if err := grant(ctx, client); err != nil {
		return fmt.Errorf("set the rights of Kafka's users: %w", refused(err))
	}
	return nil
}

func grant(ctx context.Context, client *kgo.Client) error {
	have, err := existingEntries(ctx, client)
	if err != nil {
		return err
	}
	want := Entries()
	missing := slices.DeleteFunc(slices.Clone(want), func(e Entry) bool { return slices.Contains(have, e) })
	if err := createEntries(ctx, client, missing); err != nil {
		return err
	}
	extra := slices.DeleteFunc(have, func(e Entry) bool { return slices.Contains(want, e) })
	return deleteEntries(ctx, client, extra)
}

// existingEntries returns the entries that Kafka has for our users.
func existingEntries(ctx context.Context, client *kgo.Client) ([]Entry, error) {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	var have []Entry
	for _, r := range resp.Resources {
		for _, a := range r.ACLs {
			if Ours(a.Principal) {
				have = append(have, Entry{Principal: a.Principal, Kind: r.ResourceType, Name: r.ResourceName,
					Pattern: r.ResourcePatternType, Operation: a.Operation, Host: a.Host, Permission: a.PermissionType})
			}
		}
	}
	return have, nil
}

func createEntries(ctx context.Context, client *kgo.Client, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	req := kmsg.NewPtrCreateACLsRequest()
	for _, e := range entries {
		c := kmsg.NewCreateACLsRequestCreation()
		c.Principal, c.ResourceType, c.ResourceName, c.ResourcePatternType = e.Principal, e.Kind, e.Name, e.Pattern
		c.Operation, c.Host, c.PermissionType = e.Operation, e.Host, e.Permission
		req.Creations = append(req.Creations, c)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for i, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return fmt.Errorf("right of %s on %s: %w", entries[i].Principal, entries[i].Name, err)
		}
	}
	return nil
}

func deleteEntries(ctx context.Context, client *kgo.Client, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	req := kmsg.NewPtrDeleteACLsRequest()
	for _, e := range entries {
		f := kmsg.NewDeleteACLsRequestFilter()
		f.Principal, f.ResourceType, f.ResourceName, f.ResourcePatternType = kmsg.StringPtr(e.Principal), e.Kind, kmsg.StringPtr(e.Name), e.Pattern
		f.Operation, f.Host, f.PermissionType = e.Operation, kmsg.StringPtr(e.Host), e.Permission
		req.Filters = append(req.Filters, f)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for i, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return fmt.Errorf("right of %s on %s: %w", entries[i].Principal, entries[i].Name, err)
		}
	}
	return nil
}

// refused adds ErrRefused to the error of a broker that does not allow or does not know these requests.
func refused(err error) error {
	if errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.SecurityDisabled) || errors.Is(err, kerr.UnsupportedVersion) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}
