package httpx

import (
	"fmt"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// MaxUserIDs bounds the users of one request from another service. The answer has a number for each, so it is small, and a sweep of
// 100,000 connected users takes a hundred requests.
const MaxUserIDs = 1000

// UserIDs reads the body {"user_ids": [...]} of a request about many users.
func UserIDs(c *gin.Context) ([]string, error) {
	var body struct {
		UserIDs []string `json:"user_ids"`
	}
	if err := DecodeJSON(c, &body); err != nil {
		return nil, err
	}
	if len(body.UserIDs) > MaxUserIDs {
		return nil, Invalid("user_ids", fmt.Sprintf("must have at most %d ids", MaxUserIDs))
	}
	for _, id := range body.UserIDs {
		if uuid.Validate(id) != nil {
			return nil, Invalid("user_ids", "must be UUIDs")
		}
	}
	return body.UserIDs, nil
}
