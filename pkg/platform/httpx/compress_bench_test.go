package httpx

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	kgzip "github.com/klauspost/compress/gzip"
)

// page is an answer as GET /api/v1/tasks gives it, with 200 tasks.
func page() []byte {
	type task struct {
		ID, Title, Status, Priority, Timezone, CreatedAt, UpdatedAt string
		Tags                                                        []string
		Version, Seq                                                int
	}
	var items []task
	for i := range 200 {
		items = append(items, task{
			ID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012x", i*7919), Title: fmt.Sprintf("Write report %d of the quarter", i), Status: "pending", Priority: "medium",
			Timezone: "Europe/Berlin", CreatedAt: fmt.Sprintf("2026-11-27T09:%02d:%02d.%06dZ", i/60, i%60, i*4243), UpdatedAt: fmt.Sprintf("2026-11-27T10:%02d:%02dZ", i/60, i%60),
			Tags: []string{"work", fmt.Sprint("q", i%4)}, Version: 1 + i%5, Seq: i,
		})
	}
	raw, _ := json.Marshal(map[string]any{"items": items, "next_cursor": ""}) // plain values
	return raw
}

// BenchmarkCompress is the cost of an answer with 200 tasks, plain and packed. bytes/op-sent is what the client gets.
func BenchmarkCompress(b *testing.B) {
	body := page()
	e := NewEngine(Config{})
	GET(e, "/x", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", body) })
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			sent := 0
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/x", http.NoBody)
				r.Header.Set("Accept-Encoding", encoding)
				w := httptest.NewRecorder()
				e.ServeHTTP(w, r)
				sent = w.Body.Len()
			}
			b.ReportMetric(float64(sent), "bytes-sent")
		})
	}
}

// BenchmarkGzipLevels compares the standard library's gzip with the one in use, by level.
func BenchmarkGzipLevels(b *testing.B) {
	body := page()
	for _, level := range []int{gzip.BestSpeed, gzip.DefaultCompression} {
		b.Run(fmt.Sprint("standard library, level ", level), func(b *testing.B) {
			var out bytes.Buffer
			w, err := gzip.NewWriterLevel(&out, level)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				out.Reset()
				w.Reset(&out)
				_, _ = w.Write(body)
				_ = w.Close()
			}
			b.ReportMetric(float64(out.Len()), "bytes-sent")
		})
	}
	for _, level := range []int{compressLevel, kgzip.DefaultCompression} {
		b.Run(fmt.Sprint("klauspost, level ", level), func(b *testing.B) {
			var out bytes.Buffer
			w, err := kgzip.NewWriterLevel(&out, level)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				out.Reset()
				w.Reset(&out)
				_, _ = w.Write(body)
				_ = w.Close()
			}
			b.ReportMetric(float64(out.Len()), "bytes-sent")
		})
	}
}
