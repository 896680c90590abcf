package main

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"html/template"
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// What members see.

func (s *shop) home(c *gin.Context) error {
	m, err := s.who(c)
	if err != nil {
		return err
	}
	rows, err := s.db.QueryContext(c.Request.Context(), "SELECT op, state, fen, made_us FROM bill JOIN ips_order ON ips_order.order_key = bill.order_key WHERE member_id = ? ORDER BY made_us DESC LIMIT 20", m.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	var bills []bill
	for rows.Next() {
		var b bill
		if err := rows.Scan(&b.Operation, &b.State, &b.Amount, &b.Made); err != nil {
			return err
		}
		bills = append(bills, b)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	show(c, http.StatusOK, "home", gin.H{"Member": m, "Bills": bills, "Click": rand.Text()})
	return nil
}

// bill is an order as its member sees it.
type bill struct {
	Operation ips.Operation
	State     orders.State
	Amount    ips.Amount
	Made      int64 // microseconds
}

func (b bill) When() string { return time.UnixMicro(b.Made).In(ips.China).Format("01-02 15:04") }

func (b bill) What() string { info, _ := b.Operation.Info(); return info.Chinese }

func (b bill) Result() string {
	return map[orders.State]string{orders.StateRecorded: "未完成", orders.StatePending: "处理中", orders.StateDone: "成功",
		orders.StateRefused: "未成功", orders.StateClosed: "已关闭"}[b.State]
}

var errInput = errors.New("bad input")

// page answers with what f shows, or says in the member's words what is wrong.
func page(f func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := f(c)
		if err == nil {
			return
		}
		log.Print(c.Request.URL.Path, ": ", err)
		status, text := http.StatusInternalServerError, "暂时无法办理，请返回重试"
		var invalid *ips.ValidationError
		switch {
		case errors.Is(err, errInput), errors.As(err, &invalid):
			status, text = http.StatusBadRequest, "填写有误，请返回重填"
		case errors.Is(err, orders.ErrOtherContent):
			status, text = http.StatusConflict, "这一页已经用过，请从首页重新开始"
		case errors.Is(err, orders.ErrEnded):
			status, text = http.StatusConflict, "该订单已有结果，请看首页"
		}
		show(c, status, "fail", gin.H{"Text": text})
	}
}

//go:embed pages.html
var pages string

var templates = template.Must(template.New("").Parse(pages))

func show(c *gin.Context, status int, name string, data gin.H) {
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Header("Cache-Control", "no-store")
	c.Status(status)
	if err := templates.ExecuteTemplate(c.Writer, name, data); err != nil {
		log.Print(err)
	}
}
