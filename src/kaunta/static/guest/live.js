// Re-reads the page when told that something changed, when it comes to the foreground, and by slow polling.
// A failed read changes nothing but the offline line: a network error is no news about money.
(()=>{
let d=document,$=i=>d.getElementById(i),live=()=>$('live').dataset,born=Date.now(),next=born+4e3,bad=0,busy=0,
es=self.EventSource?new EventSource(location.pathname+'/events?v='+live().v):{},
ask=()=>{
if(busy++)return;
fetch('',{headers:{'X-Fragment':'main','If-None-Match':live().v}}).then(async r=>{
bad=0;
if(r.status==200)swap(await r.text())
}).catch(()=>bad++).then(()=>{
$('off').hidden=!bad;
let more=busy>1,s=(Date.now()-born)/1e3,w=s<40?3:s<90?5:s<300?10:30;
if(es.readyState==1&&w<10)w=10;
next=s<1800?Date.now()+w*1e3*Math.min(4,2**bad):1/0;
busy=0;
more&&ask()})},
swap=h=>{
let t=d.createElement('template'),at=d.activeElement.id,
kept=[...$('live').querySelectorAll('details,input,textarea')].map(e=>[e.id,e.open,e.checked,e.value!=e.defaultValue&&e.value]);
t.innerHTML=h;
for(let e of [...t.content.children])$(e.id).replaceWith(e);
for(let [i,o,c,v] of kept){
let e=$(i);
if(e){e.open=o;e.checked=c;if(v)e.value=v}}
at&&$(at)?.focus();
let s=live().title||d.querySelector('h1').textContent;
if(s!=d.title)$('say').textContent=d.title=s;
dispatchEvent(new Event('fresh'))};
es.onmessage=ask;
setInterval(()=>d.hidden||Date.now()<next||ask(),1e3);
d.onvisibilitychange=()=>d.hidden||ask();
ononline=onpageshow=e=>e.persisted!=false&&ask();
onoffline=()=>$('off').hidden=0
})();
