package hub_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
)

// TestAJoinThatMeetsTheLastLeaveIsNotForgotten lets the last member leave while another one joins: whichever comes first,
// the new one is known to the hub.
func TestAJoinThatMeetsTheLastLeaveIsNotForgotten(t *testing.T) {
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		_, m := join(t, h, 0)
		for range 3000 {
			synctest.Wait()
			at := int64(s.Len("u"))
			last := m
			go h.Leave(last)
			p := &page{}
			m = joinAs(t, h, at, p)
			synctest.Wait()
			update(t, h, s.Add("u"))
			if got, want := p.seen(), []string{fmt.Sprint("welcome ", at), fmt.Sprint(at + 1)}; !slices.Equal(got, want) {
				t.Fatalf("the new member: got %v, want %v", got, want)
			}
		}
	})
}
