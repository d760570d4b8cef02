package publish

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

func TestOnlyA2xxAnswerTakesACheckpoint(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	for status, good := range map[int]bool{200: true, 204: true, 301: false, 302: false, 303: false, 307: false, 308: false, 404: false, 503: false} {
		place := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(status)
		}))
		if err := NewHTTP(place.URL).Send(t.Context(), []byte("{}\n")); (err == nil) != good {
			t.Errorf("Send with the answer %d: got %v, want success: %v", status, err, good)
		}
		place.Close()
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests followed a redirect, want none", n)
	}
}
