package httpx

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestUserIDsAreBoundedUUIDs(t *testing.T) {
	const id = "01890a5d-ac96-774b-bcce-b302099a8057"
	list := func(n int) string { return `{"user_ids":["` + strings.Repeat(id+`","`, n-1) + id + `"]}` }
	for _, c := range []struct {
		body string
		want int // -1: refused
	}{
		{`{"user_ids":[]}`, 0}, {`{}`, 0}, {list(1), 1}, {list(MaxUserIDs), MaxUserIDs}, {list(MaxUserIDs + 1), -1}, {`{"user_ids":["x"]}`, -1}, {`{"user_ids":"` + id + `"}`, -1},
	} {
		ctx, _ := gin.CreateTestContext(httptest.NewRecorder())
		ctx.Request = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		got, err := UserIDs(ctx)
		refused := new(Error)
		if c.want < 0 && (!errors.As(err, &refused) || refused.Code != CodeInvalid) || c.want >= 0 && (err != nil || len(got) != c.want) {
			t.Errorf("%.60s: got %d ids, %v, want %d", c.body, len(got), err, c.want)
		}
	}
}
